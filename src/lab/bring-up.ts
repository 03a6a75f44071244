import type { Name } from '../base/types.ts';
import { addForwards, removeForwards } from '../platforms/local/forward-change.ts';
import { formatForward } from '../platforms/local/forwards.ts';
import { holdVm, startLocked, stopLocked } from '../platforms/local/power.ts';
import { readyForSsh } from '../platforms/local/ready.ts';
import { resizeLocked } from '../platforms/local/resize.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { saveVm, vmPid, type LabMembership } from '../platforms/local/vms.ts';
import { waitForGoal } from '../platforms/local/wait.ts';
import { changes, type MemberPlan } from './plan.ts';
import { putFile, runScript, writeHosts } from './provision.ts';

export interface BringUpOptions {
  readonly lab: string;
  readonly hosts: { readonly text: string; readonly hash: string };
  /** Start it although memory is short. */
  readonly force: boolean;
}

/** Seconds that a guest has to shut down before it is restarted with another size. */
const SHUTDOWN_SECONDS = 90;

/** Does with one member, which is made, what its plan says; each step is written down when it is done. Throws what its steps throw. */
export async function bringUp(context: LabContext, plan: MemberPlan, options: BringUpOptions): Promise<'ready' | 'made' | 'unchanged'> {
  const { member, vm } = plan;
  await forward(context, plan);
  await power(context, plan, options);
  if (plan.hosts || plan.files.length > 0 || plan.scripts.length > 0) await provision(context, plan, options);
  if (plan.wait) {
    await waitForGoal(context, vm, member.ready, member.timeout);
    const pid = await vmPid(context.host, context.home, vm);
    await remember(context, vm, (lab) => ({ ...lab, ...(pid === undefined ? {} : { ready: pid }) }));
    return 'ready';
  }
  return plan.create ? 'made' : changes(plan) ? 'ready' : 'unchanged';
}

/** Before it starts: a port that is taken is no reason to have started it. */
async function forward(context: LabContext, { member, vm, forwards }: MemberPlan): Promise<void> {
  if (forwards.remove.length > 0) await removeForwards(context, vm, forwards.remove);
  if (forwards.add.length > 0) await addForwards(context, vm, forwards.add);
  if (forwards.add.length + forwards.remove.length > 0) {
    await remember(context, vm, (lab) => ({ ...lab, forwards: member.forwards.map(formatForward) }));
  }
}

/** Shuts it down, gives it another size, starts it: what of that is asked for. */
async function power(context: LabContext, { vm: name, restart, resize, start }: MemberPlan, { lab, force }: BringUpOptions): Promise<void> {
  if (!restart && resize === undefined && !start) return;
  await using held = await holdVm(context, name, `lab up ${lab}`);
  let { vm } = held;
  if (restart) await stopLocked(context, vm, { timeout: SHUTDOWN_SECONDS, force: false });
  if (resize !== undefined) {
    ({ vm } = await resizeLocked(context, vm, { cpus: resize.cpus?.to, memory: resize.memory?.to, disk: resize.disk?.to }));
  }
  if (start) await startLocked(context, vm, { force });
}

async function provision(context: LabContext, plan: MemberPlan, { lab, hosts }: BringUpOptions): Promise<void> {
  const { member, vm } = plan;
  const { events } = context;
  const guest = await readyForSsh(context, vm, member.timeout);
  if (plan.hosts) {
    await events.stage(`Names for ${member.name}`, () => writeHosts(context, guest, hosts.text));
    await remember(context, vm, (own) => ({ ...own, hosts: hosts.hash }));
  }
  for (const file of plan.files) {
    await events.stage(`${file.copy} to ${member.name}:${file.to}`, () => putFile(context, guest, file));
    await remember(context, vm, (own) => ({ ...own, files: { ...own.files, [file.to]: file.hash } }));
  }
  for (const script of plan.scripts) {
    await events.stage(`${script.label} on ${member.name}`, (span) => runScript(context, guest, script, { lab, name: member.name }, span));
    await remember(context, vm, (own) => ({ ...own, scripts: [...new Set([...own.scripts, script.hash])] }));
  }
}

/** Writes down what a member has got. */
export async function remember(context: LabContext, name: Name, change: (lab: LabMembership) => LabMembership): Promise<void> {
  await using held = await holdVm(context, name, 'lab up');
  const { vm } = held;
  if (vm.lab !== undefined) await saveVm(context.host, context.home, { ...vm, lab: change(vm.lab) });
}

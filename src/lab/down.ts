import { toIngotError, IngotError } from '../base/errors.ts';
import { parseName, type Name } from '../base/types.ts';
import { holdVm, stopLocked, type StopResult } from '../platforms/local/power.ts';
import { deleteVm } from '../platforms/local/remove.ts';
import type { LabContext } from '../platforms/local/view.ts';
import { findMembers, refuseLoss } from './found.ts';
import type { FoundMember } from './plan.ts';
import { loadLab, lockLab, type LabState } from './state.ts';
import type { UpContext } from './up.ts';

export interface DownOptions {
  /** Seconds that each guest has to shut down. */
  readonly timeout: number;
  /** End them by force at once. */
  readonly force: boolean;
}

export interface DownResult {
  readonly name: string;
  readonly members: readonly { readonly member: string; readonly vm: string; readonly result: StopResult | 'deleted' }[];
}

/** Shuts the VMs of a lab down, those first that wait for others. Throws `lab-unknown`, `lab-incomplete`. */
export async function stopLab(context: LabContext, name: Name, options: DownOptions): Promise<DownResult> {
  await using _lock = await lockLab(context, name, `lab down ${name}`);
  const state = await loadLab(context.host, context.home, name);
  const members = await findMembers(context, name);
  const tasks = new Map<string, Promise<StopResult>>();
  const stop = async (member: FoundMember): Promise<StopResult> => {
    const dependents = state.members.filter(({ after }) => after.includes(member.name)).flatMap((other) => tasks.get(other.name) ?? []);
    // One that does not stop is told at the end; it keeps no other from being stopped.
    await Promise.allSettled(dependents);
    const own = { ...context, events: context.events.branch(member.name) };
    await using held = await holdVm(own, member.vm, `lab down ${name}`);
    return await stopLocked(own, held.vm, options);
  };
  for (const member of inStopOrder(state, members)) tasks.set(member.name, stop(member));
  const results = await Promise.allSettled(tasks.values());
  context.signal.throwIfAborted();
  const failures = results.flatMap((result, index) =>
    result.status === 'rejected' ? [{ member: [...tasks.keys()][index] ?? '', error: toIngotError(result.reason) }] : [],
  );
  if (failures.length > 0) {
    throw new IngotError(failures[0]?.error.class ?? 'internal', 'lab-incomplete', `Not all VMs of the lab ${name} could be stopped`, {
      problems: failures.map(({ member, error }) => ({ path: member, message: error.message })),
    });
  }
  const outcome = new Map([...tasks.keys()].map((member, index) => [member, results[index]]));
  return {
    name,
    members: members.flatMap(({ name: member, vm }) => {
      const result = outcome.get(member);
      return result?.status === 'fulfilled' ? [{ member, vm, result: result.value }] : [];
    }),
  };
}

/** Members that others wait for come after those. */
function inStopOrder(state: LabState, members: readonly FoundMember[]): FoundMember[] {
  const position = new Map(state.members.map(({ name }, index) => [name, index]));
  return members.toSorted((a, b) => (position.get(b.name) ?? -1) - (position.get(a.name) ?? -1));
}

/** Deletes a lab with all its VMs and their disks, after consent. Throws `lab-unknown`, `lab-unchanged`, `vm-protected` before the first, and what deleting a VM throws. */
export async function deleteLab(context: UpContext, name: Name): Promise<DownResult> {
  const { host, home } = context;
  await using _lock = await lockLab(context, name, `lab down ${name}`);
  await loadLab(host, home, name);
  const members = await findMembers(context, name);
  refuseLoss(members);
  const names = members.map(({ vm }) => vm).join(', ');
  if (members.length > 0 && !(await context.consent(`The lab ${name} is deleted, and with their disks: ${names}.\nGo on?`))) {
    throw new IngotError('interrupted', 'lab-unchanged', `The lab ${name} is as it was`);
  }
  for (const { vm } of members) await deleteVm(context, vm, { force: true });
  // Last: where it is still there, the same command goes on.
  await host.files.remove(home.lab(parseName(name, 'a lab')));
  return { name, members: members.map(({ name: member, vm }) => ({ member, vm, result: 'deleted' })) };
}

import { IngotError } from '../../base/errors.ts';
import { inPool } from '../../base/pool.ts';
import { reachVm, type ReachedVm } from '../../platforms/remote-login.ts';
import type { RemoteVm, RemoteVms, TemplateOf } from '../../platforms/remote-vms.ts';
import { reachGoal } from '../../platforms/local/wait.ts';
import { hostsBlock } from '../hosts.ts';
import type { Lab, Member } from '../model.ts';
import type { PlanOptions } from '../plan.ts';
import { putFile, runScript, writeHosts } from '../provision.ts';
import { findAnyLab, lockLab, type RemoteLabMember } from '../state.ts';
import { startInOrder, throwFailures, type UpContext, type UpResult } from '../up.ts';
import { changesRemote, planRemoteLab, type RemoteLabPlan, type RemoteMemberPlan } from './plan.ts';
import { RemoteRecord } from './record.ts';

export interface RemoteUpOptions extends PlanOptions {
  readonly vms: RemoteVms;
  /** The template that a member is made from; throws where none is published. */
  readonly templateOf: (member: Member) => Promise<TemplateOf>;
  /** Public keys that may log in, ingot's own among them. */
  readonly sshKeys: readonly string[];
}

/** Clones that are asked for at the same time; the platform's own locks are waited for in it. */
const AT_ONCE = 16;
/** Seconds that a guest has to shut down before it is started with another size, and to be ready. */
const [SHUTDOWN_SECONDS, READY_SECONDS] = [90, 600];

/** What would be done for a lab on a target; changes nothing. Throws `lab-elsewhere`, `lab-names-taken`. */
export async function prepareRemoteLab(
  { host, home }: Pick<UpContext, 'host' | 'home'>,
  lab: Lab,
  { vms, ...options }: PlanOptions & { readonly vms: RemoteVms },
): Promise<{ readonly plan: RemoteLabPlan; readonly before: readonly RemoteLabMember[]; readonly otherFile: string | undefined }> {
  const state = await findAnyLab(host, home, lab.name);
  const where = state === undefined ? undefined : 'platform' in state ? state.platform : 'local';
  if (where !== undefined && where !== lab.platform) {
    throw new IngotError('conflict', 'lab-elsewhere', `The lab ${lab.name} is ${where === 'local' ? 'on this host' : `on ${where}`}`, {
      hint: `\`ingot lab down ${lab.name} --delete\` takes it away from there, or give this one another name.`,
    });
  }
  const before = state !== undefined && 'platform' in state ? state.members : [];
  const there = await vms.list({ all: true });
  refuseStrangers(lab, there, before);
  // One that is half made is not called ours yet; making it again removes it.
  const plan = planRemoteLab(
    lab.members,
    there.filter(({ ours }) => ours),
    before,
    options,
  );
  return { plan, before, otherFile: state === undefined || state.file === lab.file ? undefined : state.file };
}

/** Refuses a lab whose VMs would have names of VMs that it did not make. Throws `lab-names-taken` with all of them. */
function refuseStrangers(lab: Lab, there: readonly RemoteVm[], before: readonly RemoteLabMember[]): void {
  const own = new Set(before.map(({ vm }) => vm));
  const taken = lab.members.filter(({ vm }) => !own.has(vm) && there.some(({ name }) => name === vm));
  if (taken.length === 0) return;
  throw new IngotError('conflict', 'lab-names-taken', `Names that the lab ${lab.name} needs belong to other VMs of ${lab.platform}`, {
    hint: 'Give the lab another name.',
    problems: taken.map(({ vm, name }) => ({ path: `vms.${name}`, message: `${vm} is there, and was not made by this lab` })),
  });
}

/** {@link labUp} for a lab whose VMs are on a target. They know each other by name; the network between them is the target's. */
export async function labUpOn(context: UpContext, lab: Lab, options: RemoteUpOptions): Promise<UpResult> {
  const { signal } = context;
  await using _lock = await lockLab(context, lab.name, `lab up ${lab.name}`);
  const { plan, before, otherFile } = await prepareRemoteLab(context, lab, options);
  await agree(context, lab, plan, otherFile);
  // Before anything is written: a template that is not there leaves no empty lab behind.
  const templates = await templatesFor(plan.members, options);
  const record = new RemoteRecord(context, {
    v: 1,
    platform: lab.platform,
    name: lab.name,
    file: lab.file,
    members: [
      ...lab.members.flatMap(({ name }) => before.find((one) => one.name === name) ?? []),
      ...before.filter(({ name }) => plan.gone.some((one) => one.name === name)),
    ],
  });
  await record.change((state) => state);
  for (const { name, vm } of plan.gone) {
    await removeVm(options.vms, vm);
    await record.change((state) => ({ ...state, members: state.members.filter((one) => one.name !== name) }));
  }
  const made = new Map<string, RemoteVm>();
  await inPool(
    AT_ONCE,
    plan.members.filter((one) => one.create),
    async (one) => {
      signal.throwIfAborted();
      made.set(one.member.name, await makeMember(context, one, options, templates.get(one.member.group), record));
    },
  );
  const outcomes = await startInOrder(plan.members, context, (own, one) => bringUp(own, lab, one, made.get(one.member.name) ?? one.found, options, record));
  signal.throwIfAborted();
  throwFailures(lab, outcomes);
  return {
    name: lab.name,
    network: lab.platform,
    members: outcomes.map(({ plan: { member, renew, create }, result }) => ({
      member: member.name,
      vm: member.vm,
      address: record.member(member.name)?.address ?? '',
      result,
      renew: create ? [] : renew,
    })),
    deleted: plan.gone.map(({ vm }) => vm.name),
  };
}

async function agree(context: UpContext, lab: Lab, plan: RemoteLabPlan, otherFile: string | undefined): Promise<void> {
  const renewed = plan.members.filter(({ remove, renew }) => remove && renew.length > 0);
  const questions = [
    ...(otherFile === undefined ? [] : [`The lab ${lab.name} was made from ${otherFile}, and this is ${lab.file}.`]),
    ...(plan.gone.length === 0 ? [] : [`Not in the file any more, and deleted with their disks: ${plan.gone.map(({ vm }) => vm.name).join(', ')}.`]),
    ...(renewed.length === 0 ? [] : [`Made anew, without what is on their disks: ${renewed.map(({ member }) => member.vm).join(', ')}.`]),
  ];
  if (questions.length === 0 || (await context.consent(`${questions.join('\n')}\nGo on?`))) return;
  throw new IngotError('interrupted', 'lab-unchanged', `The lab ${lab.name} is as it was`);
}

/** The templates of new VMs by their group, all of them before the first is made. */
async function templatesFor(plans: readonly RemoteMemberPlan[], { templateOf }: RemoteUpOptions): Promise<Map<string, TemplateOf>> {
  const templates = new Map<string, TemplateOf>();
  for (const { member, create } of plans) if (create && !templates.has(member.group)) templates.set(member.group, await templateOf(member));
  return templates;
}

async function makeMember(
  context: UpContext,
  { member, found, remove }: RemoteMemberPlan,
  { vms, sshKeys }: RemoteUpOptions,
  template: TemplateOf | undefined,
  record: RemoteRecord,
): Promise<RemoteVm> {
  if (template === undefined) throw new IngotError('internal', 'template-missing', `${member.name} has no template`);
  if (remove && found !== undefined) await removeVm(vms, found);
  const fresh: RemoteLabMember = { name: member.name, vm: member.vm, after: [...member.after], source: member.source, hosts: '', files: {}, scripts: [] };
  // Before it is made: whatever ends this, it is known whose VM that is.
  await record.change((state) => ({ ...state, members: [...state.members.filter(({ name }) => name !== member.name), fresh] }));
  return await context.events.stage(`Making ${member.vm}`, (span) =>
    vms.create({
      name: member.vm,
      template,
      machine: { cpus: member.cpus, memory: Math.ceil(member.memory / 2 ** 20), sshKeys: [...sshKeys] },
      disk: member.disk,
      full: false,
      start: false,
      span,
    }),
  );
}

/** Stops a VM by force, and deletes it. */
export async function removeVm(vms: RemoteVms, vm: RemoteVm): Promise<void> {
  await vms.stop(vm, { timeout: 0, force: true });
  await vms.delete(vm);
}

async function bringUp(
  context: UpContext,
  lab: Lab,
  plan: RemoteMemberPlan,
  vm: RemoteVm | undefined,
  options: RemoteUpOptions,
  record: RemoteRecord,
): Promise<'ready' | 'made' | 'unchanged'> {
  const { member } = plan;
  const { vms } = options;
  if (vm === undefined) throw new IngotError('internal', 'vm-missing', `${member.name} was not made`);
  if (plan.restart) await vms.stop(vm, { timeout: SHUTDOWN_SECONDS, force: false });
  if (plan.resize !== undefined) await vms.resize(vm, { cpus: plan.resize.cpus?.to, memory: plan.resize.memory?.to, disk: plan.resize.disk?.to });
  if (plan.start) await vms.start(vm);
  if (!plan.start && (plan.create || !changesRemote(plan))) return plan.create ? 'made' : 'unchanged';
  const seconds = member.timeout ?? READY_SECONDS;
  const start = context.host.clock.monotonic();
  const guest = await reachVm(context, vms, await vms.find(vm.id), seconds);
  await record.changeMember(member.name, (own) => ({ ...own, address: guest.spec.ssh.address ?? '' }));
  await tellNames(context, lab, member.name, guest, record);
  for (const file of plan.files) {
    await context.events.stage(`${file.copy} to ${member.name}:${file.to}`, () => putFile(context, guest, file));
    await record.changeMember(member.name, (own) => ({ ...own, files: { ...own.files, [file.to]: file.hash } }));
  }
  for (const script of plan.scripts) {
    await context.events.stage(`${script.label} on ${member.name}`, (span) => runScript(context, guest, script, { lab: lab.name, name: member.name }, span));
    await record.changeMember(member.name, (own) => ({ ...own, scripts: [...new Set([...own.scripts, script.hash])] }));
  }
  await reachGoal(context, guest, member.ready, {
    seconds: seconds - (context.host.clock.monotonic() - start) / 1000,
    checkRunning: async () => {
      const { state } = await vms.find(vm.id);
      if (state !== 'running') throw new IngotError('host', 'vm-ended', `${member.vm} on ${lab.platform} is ${state} while it was waited for`);
    },
  });
  await tellOthers(context, lab, member.name, options, record);
  return 'ready';
}

/** The names of all members whose addresses are known by now. */
function namesOf(lab: Lab, record: RemoteRecord): ReturnType<typeof hostsBlock> {
  const known = record.state.members.flatMap(({ name, address }) => (address === undefined || address === '' ? [] : [{ name, address }]));
  return hostsBlock(
    lab.name,
    known.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  );
}

async function tellNames(context: UpContext, lab: Lab, name: string, guest: ReachedVm, record: RemoteRecord): Promise<void> {
  const { text, hash } = namesOf(lab, record);
  if (record.member(name)?.hosts === hash) return;
  await context.events.stage(`Names for ${name}`, () => writeHosts(context, guest, text));
  await record.changeMember(name, (own) => ({ ...own, hosts: hash }));
}

/** Addresses are known only when a guest has told its own: those that were ready before get the new name now. */
async function tellOthers(context: UpContext, lab: Lab, name: string, { vms }: RemoteUpOptions, record: RemoteRecord): Promise<void> {
  for (const other of record.state.members) {
    if (other.name === name || other.hosts === '' || other.hosts === namesOf(lab, record).hash) continue;
    const vm = await vms.find(other.vm);
    if (vm.state === 'running') await tellNames(context, lab, other.name, await reachVm(context, vms, vm), record);
  }
}

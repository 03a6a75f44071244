import { IngotError } from '../../base/errors.ts';
import type { Name } from '../../base/types.ts';
import type { LabContext } from '../../platforms/local/view.ts';
import { reachVm, type ReachedVm } from '../../platforms/remote-login.ts';
import type { RemoteVm, RemoteVms } from '../../platforms/remote-vms.ts';
import { snapshotsOf, findSnapshot, type LabSnapshot } from '../snapshot.ts';
import type { DownOptions, DownResult } from '../down.ts';
import { chooseMembers, execAll, oneMember, type ExecRequest, type ExecResult } from '../exec.ts';
import type { LabView } from '../status.ts';
import { lockLab, saveLab, type RemoteLabMember, type RemoteLabState } from '../state.ts';
import type { UpContext } from '../up.ts';
import { removeVm } from './up.ts';

/* What one does with a lab on a target, besides bringing it up. */

interface Found {
  readonly record: RemoteLabMember;
  readonly name: string;
  readonly vm: RemoteVm | undefined;
}

async function membersOf(state: RemoteLabState, vms: RemoteVms): Promise<Found[]> {
  const there = await vms.list({ all: false });
  return state.members.map((record) => ({ record, name: record.name, vm: there.find(({ name }) => name === record.vm) }));
}

/** What there is of a lab, as {@link viewLab}. */
export async function viewRemoteLab(state: RemoteLabState, vms: RemoteVms): Promise<LabView> {
  const members = await membersOf(state, vms);
  return {
    name: state.name,
    file: state.file,
    network: state.platform,
    members: members.map(({ name, record, vm }) => ({
      member: name,
      vm: record.vm,
      state: vm?.state ?? 'missing',
      address: record.address ?? '',
      ready: vm?.state === 'running' && record.hosts !== '',
      ...(record.source.image === undefined ? {} : { image: record.source.image }),
    })),
  };
}

/** Shuts the VMs of a lab down, those first that wait for others. */
export async function stopRemoteLab(context: LabContext, name: Name, state: RemoteLabState, vms: RemoteVms, options: DownOptions): Promise<DownResult> {
  await using _lock = await lockLab(context, name, `lab down ${name}`);
  const members: DownResult['members'][number][] = [];
  const stopped = new Map<string, Promise<void>>();
  for (const { record, vm } of (await membersOf(state, vms)).toReversed()) {
    if (vm === undefined) continue;
    const dependents = state.members.filter(({ after }) => after.includes(record.name)).flatMap((one) => stopped.get(one.name) ?? []);
    const stop = async (): Promise<void> => {
      await Promise.allSettled(dependents);
      members.push({ member: record.name, vm: record.vm, result: await vms.stop(vm, options) });
    };
    stopped.set(record.name, stop());
  }
  await Promise.all(stopped.values());
  return { name, members };
}

/** Deletes a lab with all its VMs and their disks, after consent. Throws `lab-unchanged`. */
export async function deleteRemoteLab(context: UpContext, name: Name, state: RemoteLabState, vms: RemoteVms): Promise<DownResult> {
  const { host, home } = context;
  await using _lock = await lockLab(context, name, `lab down ${name}`);
  const there = (await membersOf(state, vms)).flatMap(({ record, vm }) => (vm === undefined ? [] : [{ record, vm }]));
  const names = there.map(({ vm }) => vm.name).join(', ');
  if (there.length > 0 && !(await context.consent(`The lab ${name} on ${state.platform} is deleted, and with their disks: ${names}.\nGo on?`))) {
    throw new IngotError('interrupted', 'lab-unchanged', `The lab ${name} is as it was`);
  }
  await Promise.all(there.map(({ vm }) => removeVm(vms, vm)));
  // Last: where it is still there, the same command goes on.
  await host.files.remove(home.lab(name));
  return { name, members: there.map(({ record, vm }) => ({ member: record.name, vm: vm.name, result: 'deleted' })) };
}

/** {@link execInLab} for a lab on a target. */
export async function execInRemoteLab(context: LabContext, state: RemoteLabState, vms: RemoteVms, request: ExecRequest): Promise<ExecResult[]> {
  const chosen = chooseMembers(state.name, await membersOf(state, vms), request.on);
  const members = chosen.flatMap(({ name, vm }) =>
    vm === undefined || (request.on.length === 0 && vm.state !== 'running') ? [] : [{ name, reach: () => reach(context, vms, vm, request.timeout) }],
  );
  return await execAll(context, members, request);
}

/** The one member of a name, once one can log in. Throws `lab-member-unknown`, `vm-unknown`. */
export async function reachMember(context: LabContext, state: RemoteLabState, vms: RemoteVms, name: string, timeout: number | undefined): Promise<ReachedVm> {
  const member = oneMember(state.name, await membersOf(state, vms), name);
  if (member.vm === undefined) throw new IngotError('not-found', 'vm-unknown', `${name} is not made`, { hint: 'Make it with `ingot lab up`.' });
  return await reach(context, vms, member.vm, timeout);
}

async function reach(context: LabContext, vms: RemoteVms, vm: RemoteVm, timeout: number | undefined): Promise<ReachedVm> {
  return await reachVm({ ...context, consent: () => Promise.resolve(false) }, vms, vm, timeout);
}

/** Makes a snapshot of all members; one after the other, since a target knows no moment for several. */
export async function snapshotRemoteLab(
  context: LabContext,
  name: Name,
  state: RemoteLabState,
  vms: RemoteVms,
  request: { readonly name: string; readonly ram: boolean; readonly description: string | undefined },
): Promise<LabSnapshot> {
  await using _lock = await lockLab(context, name, `lab snapshot create ${name}`);
  const { ram: memory, description } = request;
  for (const { vm } of await membersOf(state, vms)) {
    // One that was made before this was cut stays.
    if (vm !== undefined && !(await vms.snapshots(vm)).some((one) => one.name === request.name))
      await vms.snapshot(vm, { name: request.name, memory, description });
  }
  return findSnapshot(await remoteLabSnapshots(state, vms), name, request.name);
}

/** The snapshots of a lab, oldest first. */
export async function remoteLabSnapshots(state: RemoteLabState, vms: RemoteVms): Promise<LabSnapshot[]> {
  const members = await membersOf(state, vms);
  const all = await Promise.all(
    members.flatMap(({ name, vm }) =>
      vm === undefined
        ? []
        : [vms.snapshots(vm).then((snapshots) => ({ member: name, snapshots: snapshots.map((one) => ({ ...one, created: one.created ?? '' })) }))],
    ),
  );
  return snapshotsOf(all);
}

/** Puts all members back that have the snapshot. Throws `snapshot-unknown`, `lab-running`. */
export async function restoreRemoteLab(
  context: LabContext,
  name: Name,
  state: RemoteLabState,
  vms: RemoteVms,
  request: { readonly snapshot: string; readonly force: boolean; readonly start: boolean | undefined },
): Promise<LabSnapshot> {
  await using _lock = await lockLab(context, name, `lab snapshot restore ${name}`);
  const snapshot = findSnapshot(await remoteLabSnapshots(state, vms), name, request.snapshot);
  const members = (await membersOf(state, vms)).flatMap(({ name: member, vm }) => (vm !== undefined && snapshot.members.includes(member) ? [vm] : []));
  const running = members.filter((vm) => vm.state === 'running');
  if (running.length > 0 && !request.force) {
    throw new IngotError(
      'conflict',
      'lab-running',
      `VMs of the lab ${name} run, and what they have written since would be lost: ${running.map((vm) => vm.name).join(', ')}`,
      {
        hint: `Keep that with \`ingot lab snapshot create ${name}\` first, or use --force.`,
      },
    );
  }
  // What was applied since is looked at again by the next `lab up`.
  const { host, home } = context;
  const forgotten = (one: RemoteLabMember): RemoteLabMember => (snapshot.members.includes(one.name) ? { ...one, hosts: '', files: {}, scripts: [] } : one);
  await saveLab(host, home, { ...state, members: state.members.map(forgotten) });
  for (const vm of members) {
    await vms.stop(vm, { timeout: 0, force: true });
    await vms.restore(vm, request.snapshot);
    if (request.start === true) await vms.start(vm);
  }
  return snapshot;
}

/** Deletes a snapshot of all members that have it. Throws `snapshot-unknown`. */
export async function deleteRemoteLabSnapshot(context: LabContext, name: Name, state: RemoteLabState, vms: RemoteVms, snapshot: string): Promise<void> {
  await using _lock = await lockLab(context, name, `lab snapshot delete ${name}`);
  const { members } = findSnapshot(await remoteLabSnapshots(state, vms), name, snapshot);
  for (const { name: member, vm } of await membersOf(state, vms)) if (vm !== undefined && members.includes(member)) await vms.deleteSnapshot(vm, snapshot);
}

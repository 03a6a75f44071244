import { IngotError } from '../../base/errors.ts';
import { oneVm } from '../one-vm.ts';
import { targetReference } from '../platform.ts';
import type { RemoteVm, RemoteVmDetails } from '../remote-vms.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { PUBLICATION_TAG, tagsOf } from './marks.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';
import { listSnapshots } from './vm-snapshots.ts';

/** On every instance that ingot made: its name. */
export const VM_TAG = 'ingot-vm';
/** Who logs in. */
export const USER_TAG = 'ingot-user';
/** What was asked for, where the offering has more: `cpus=2 memory=1024`, in MiB. */
export const ASKED_TAG = 'ingot-asked';

/** States of one that is gone, though it may still be listed. */
const GONE = new Set(['Destroyed', 'Expunging', 'Expunged']);

/** What an instance is called until it is whole: tags can be given only to one that is there, so this is what a cut one is found by. */
export function unfinishedName(name: string, publication: string): string {
  return `${name} (unfinished, ${publication})`.slice(0, 255);
}

export function isUnfinished({ displayname, name }: Pick<CsVm, 'displayname' | 'name'>): boolean {
  return displayname !== undefined && displayname.startsWith(`${name} (unfinished, `);
}

/** Whether ingot made it. */
export function isOurs(vm: CsVm): boolean {
  return tagsOf(vm)[VM_TAG] === vm.name || isUnfinished(vm);
}

/** The instances that are there and fit. */
export async function instances(client: CloudStackClient, which: { readonly name?: string; readonly id?: string } = {}): Promise<CsVm[]> {
  const found = await client.all(REQUESTS.vms(which));
  return found.filter(({ state, name }) => !GONE.has(state) && (which.name === undefined || which.name === name));
}

/** The instance of an identifier; none where it is gone. */
export async function instanceOf(client: CloudStackClient, { id }: { readonly id: string }): Promise<CsVm | undefined> {
  try {
    return (await instances(client, { id }))[0];
  } catch (error) {
    // An identifier that is gone is an error, not an empty list.
    if (error instanceof IngotError && error.code === 'remote-missing') return undefined;
    throw error;
  }
}

/** The instance that a VM was when it was looked for. Throws `vm-unknown`. */
export async function existingInstance(client: CloudStackClient, vm: RemoteVm): Promise<CsVm> {
  const found = await instanceOf(client, vm);
  if (found !== undefined) return found;
  throw new IngotError('not-found', 'vm-unknown', `${vm.name} is gone from ${vm.on}`);
}

/** Instances as they are shown, by name. */
export async function listVms(client: CloudStackClient, target: CloudStackTarget, all: boolean): Promise<RemoteVm[]> {
  const [found, volumes] = await Promise.all([instances(client), client.all(REQUESTS.rootVolumes())]);
  const disks = new Map(
    volumes.flatMap(({ virtualmachineid, size }) => (virtualmachineid === undefined || size === undefined ? [] : [[virtualmachineid, size]])),
  );
  return found
    .map((vm) => viewVm(vm, target, disks.get(vm.id)))
    .filter(({ ours }) => all || ours)
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1));
}

/** The one VM of a name, or of an identifier. Throws `vm-unknown`, `vm-ambiguous`. */
export async function findVm(client: CloudStackClient, target: CloudStackTarget, name: string): Promise<RemoteVm> {
  const all = await listVms(client, target, true);
  return oneVm(all, name, { on: targetReference(target), kind: 'vm', identifier: 'identifier', at: 'in' });
}

/** A VM with what is asked for it alone. */
export async function vmDetails(client: CloudStackClient, vm: RemoteVm): Promise<RemoteVmDetails> {
  const [found, snapshots] = await Promise.all([existingInstance(client, vm), listSnapshots(client, vm)]);
  const tags = tagsOf(found);
  const [image, user, address] = [tags[PUBLICATION_TAG], tags[USER_TAG], addressIn(found)];
  return {
    ...vm,
    ...(image === undefined ? {} : { image }),
    ...(address === undefined ? {} : { address }),
    ...(user === undefined ? {} : { user }),
    snapshots: snapshots.length,
  };
}

/** What an instance has read, written and sent, as it was measured last; nothing where the server does not say it. */
export async function activityOf(client: CloudStackClient, vm: Pick<CsVm, 'id'>): Promise<string | undefined> {
  const { diskioread, diskiowrite, networkkbswrite } = (await instanceOf(client, vm)) ?? {};
  return diskioread === undefined && diskiowrite === undefined && networkkbswrite === undefined ? undefined : `${diskioread} ${diskiowrite} ${networkkbswrite}`;
}

/** The card by which an instance is reached. */
export function defaultCard({ nic }: CsVm): CsVm['nic'][number] | undefined {
  return nic.find(({ isdefault }) => isdefault) ?? nic[0];
}

/** Its address: IPv4 before IPv6. */
export function addressIn(vm: CsVm): string | undefined {
  const card = defaultCard(vm);
  return card?.ipaddress ?? card?.ip6address;
}

/** The text of {@link ASKED_TAG}. */
export function askedText({ cpus, memory }: { readonly cpus: number; readonly memory: number }): string {
  return `cpus=${cpus} memory=${memory}`;
}

function viewVm(vm: CsVm, target: CloudStackTarget, disk: number | undefined): RemoteVm {
  const { name, id, zonename, zoneid, cpunumber, memory } = vm;
  const [, cpus, asked] = /^cpus=(\d+) memory=(\d+)$/.exec(tagsOf(vm)[ASKED_TAG] ?? '') ?? [];
  return {
    kind: 'vm',
    name,
    on: targetReference(target),
    id,
    place: zonename ?? zoneid ?? '',
    state: stateOf(vm),
    ...(cpunumber === undefined ? {} : { cpus: cpunumber }),
    ...(memory === undefined ? {} : { memory: memory * 2 ** 20 }),
    ...(cpus === undefined || asked === undefined ? {} : { asked: { cpus: Number(cpus), memory: Number(asked) * 2 ** 20 } }),
    ...(disk === undefined ? {} : { disk }),
    ours: isOurs(vm),
  };
}

function stateOf(vm: CsVm): RemoteVm['state'] {
  if (isUnfinished(vm)) return 'unfinished';
  switch (vm.state) {
    case 'Running':
      return 'running';
    case 'Stopped':
    case 'Shutdown':
    case 'Error':
      return 'stopped';
    default:
      return 'busy';
  }
}

import { IngotError } from '../../base/errors.ts';
import { oneVm } from '../one-vm.ts';
import { targetReference } from '../platform.ts';
import type { RemoteSnapshot, RemoteVm, RemoteVmDetails } from '../remote-vms.ts';
import type { PveConfig, PveResource } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { configOf, type MachineId } from './machines.ts';
import { isUnfinished, isVmOf, publicationOf, sourceOf } from './notes.ts';
import { parseProperties } from './properties.ts';
import { REQUESTS } from './requests.ts';
import type { ProxmoxTarget } from './target.ts';
import { addressIn } from './trial.ts';

/** The tag by which ingot's own VMs are found without asking each for its notes. */
export const VM_TAG = 'ingot-vm';

/** VMs, or containers. */
export type Kind = RemoteVm['kind'];

/** What the server's list says of VMs or containers that are no templates. */
export async function vmResources(client: ProxmoxClient, kind: Kind = 'vm'): Promise<readonly PveResource[]> {
  const type = kind === 'vm' ? 'qemu' : 'lxc';
  return (await client.call(REQUESTS.resources())).filter((one) => one.type === type && !one.template && one.vmid !== undefined && one.node !== undefined);
}

/** VMs as they are shown, by name. */
export async function listVms(client: ProxmoxClient, target: ProxmoxTarget, all: boolean, kind: Kind = 'vm'): Promise<RemoteVm[]> {
  const found = (await vmResources(client, kind)).map((resource) => viewResource(resource, target));
  return found.filter(({ ours }) => all || ours).toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : Number(a.id) - Number(b.id)));
}

/** The one VM of a name, or of a number. Throws `vm-unknown`, `vm-ambiguous`. */
export async function findVm(client: ProxmoxClient, target: ProxmoxTarget, name: string, kind: Kind = 'vm'): Promise<RemoteVm> {
  const all = await listVms(client, target, true, kind);
  return oneVm(all, name, { on: targetReference(target), kind, identifier: 'number', at: 'on' });
}

/** What a VM's number and node are. */
export function machineOf(vm: Pick<RemoteVm, 'id' | 'place' | 'kind'>): MachineId {
  return { node: vm.place, vmid: Number(vm.id), kind: vm.kind === 'container' ? 'lxc' : undefined };
}

/** A VM with what is asked for it alone: notes, snapshots, and its address where its agent answers. */
export async function vmDetails(client: ProxmoxClient, target: ProxmoxTarget, vm: RemoteVm): Promise<RemoteVmDetails> {
  const machine = machineOf(vm);
  const [config, snapshots, address] = await Promise.all([
    existingConfig(client, vm),
    listSnapshots(client, vm),
    vm.state === 'running' ? addressNow(client, machine) : undefined,
  ]);
  const notes = config['description'];
  const image = machine.kind === 'lxc' ? sourceOf(notes) : publicationOf(notes);
  const user = config['ciuser'];
  return {
    ...vm,
    state: isUnfinished(notes) ? 'unfinished' : vm.state,
    ours: isVmOf(notes, vm.name),
    ...(image === undefined ? {} : { image }),
    ...(address === undefined ? {} : { address }),
    ...(user === undefined ? {} : { user }),
    snapshots: snapshots.length,
    console: consoleUrl(target, vm),
  };
}

/** The configuration of a VM that was there when it was looked for. Throws `vm-unknown`. */
export async function existingConfig(client: ProxmoxClient, vm: RemoteVm): Promise<PveConfig> {
  const config = await configOf(client, machineOf(vm));
  if (config !== undefined) return config;
  throw new IngotError('not-found', 'vm-unknown', `${vm.name} is gone from ${vm.on}`);
}

/** The snapshots of a VM, oldest first; the server's entry for the present is none. */
export async function listSnapshots(client: ProxmoxClient, vm: RemoteVm): Promise<RemoteSnapshot[]> {
  const found = await client.call(REQUESTS.snapshots(machineOf(vm)));
  return found
    .filter(({ name }) => name !== 'current')
    .toSorted((a, b) => (a.snaptime ?? 0) - (b.snaptime ?? 0))
    .map(({ name, description, parent, snaptime }) => ({
      name,
      ...(snaptime === undefined ? {} : { created: new Date(snaptime * 1000).toISOString() }),
      ...(description === undefined || description.trim() === '' ? {} : { description: description.trim() }),
      ...(parent === undefined ? {} : { parent }),
    }));
}

/** Bytes of the disk that a VM boots from; undefined where its configuration does not say. */
export function bootDiskSize(config: PveConfig): number | undefined {
  const size = /^(\d+)([KMGT]?)$/.exec(parseProperties(config['scsi0'] ?? config['rootfs'] ?? '')['size'] ?? '');
  return size === null ? undefined : Number(size[1]) * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(size[2] ?? '');
}

function viewResource({ type, vmid = 0, node = '', name, status, lock, tags, maxcpu, maxmem, maxdisk }: PveResource, target: ProxmoxTarget): RemoteVm {
  return {
    kind: type === 'lxc' ? 'container' : 'vm',
    name: name ?? `${type} ${vmid}`,
    on: targetReference(target),
    id: String(vmid),
    place: node,
    state: stateOf(status, lock),
    ...(maxcpu === undefined ? {} : { cpus: maxcpu }),
    ...(maxmem === undefined ? {} : { memory: maxmem }),
    ...(maxdisk === undefined ? {} : { disk: maxdisk }),
    ours: tags.includes(VM_TAG),
  };
}

function stateOf(status: string | undefined, lock: string | undefined): RemoteVm['state'] {
  if (lock === 'suspended') return 'suspended';
  if (lock !== undefined && lock !== 'suspending') return 'busy';
  return status === 'running' ? 'running' : status === 'paused' ? 'paused' : 'stopped';
}

/** Where a guest is reached, as far as it tells now; a container is asked for by the server itself. */
export async function addressNow(client: ProxmoxClient, machine: MachineId): Promise<string | undefined> {
  try {
    if (machine.kind === 'lxc') return containerAddress(await client.call(REQUESTS.containerInterfaces(machine)));
    return addressIn(await client.call({ ...REQUESTS.interfaces(machine), repeatable: false }));
  } catch (error) {
    // An agent that does not answer says nothing about the VM.
    if (error instanceof IngotError && (error.code === 'agent-silent' || error.code === 'server-failed')) return undefined;
    throw error;
  }
}

/** `192.0.2.5/24` of the first card that is not the loopback. */
function containerAddress(
  cards: readonly { readonly name: string; readonly inet?: string | undefined; readonly inet6?: string | undefined }[],
): string | undefined {
  const own = cards.filter(({ name }) => name !== 'lo');
  const found = own.find(({ inet }) => inet !== undefined)?.inet ?? own.find(({ inet6 }) => inet6 !== undefined && !/^fe80:/i.test(inet6))?.inet6;
  return found?.replace(/\/\d+$/, '');
}

/** The page of the web interface that shows the console of a VM; it asks for a login. */
export function consoleUrl(target: ProxmoxTarget, vm: RemoteVm): string {
  const query = new URLSearchParams({ console: vm.kind === 'container' ? 'lxc' : 'kvm', novnc: '1', vmid: vm.id, vmname: vm.name, node: vm.place });
  return `${target.url}/?${query.toString()}`;
}

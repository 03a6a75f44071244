import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { formatSize } from '../../base/types.ts';
import type { RemoteVm } from '../remote-vms.ts';
import type { ProxmoxClient } from './client.ts';
import { configOf, destroyOurs, stopMachine, workOn, type MachineId } from './machines.ts';
import { isVmOf } from './notes.ts';
import { REQUESTS } from './requests.ts';
import { bootDiskSize, existingConfig, listSnapshots, machineOf } from './vm-view.ts';

/** Asks a guest to shut down, and ends it by force where it has not in time. */
export async function stopVm(
  client: ProxmoxClient,
  vm: RemoteVm,
  { timeout, force }: { readonly timeout: number; readonly force: boolean },
  span?: Span,
): Promise<'shut-down' | 'forced' | 'not-running'> {
  const machine = machineOf(vm);
  const off = async (): Promise<boolean> => (await client.call(REQUESTS.status(machine))).status === 'stopped';
  if (await off()) return 'not-running';
  if (!force) {
    try {
      await workOn(client, machine, `shutting down ${vm.name}`, REQUESTS.shutdown(machine, Math.ceil(timeout)), off, span);
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'guest-stays') throw error;
    }
    if (await off()) return 'shut-down';
  }
  await stopMachine(client, machine, span);
  return 'forced';
}

/** Deletes a VM that ingot made, with its disks. Throws `vm-running`, `vm-not-ours`. */
export async function deleteVm(client: ProxmoxClient, vm: RemoteVm): Promise<void> {
  const machine = machineOf(vm);
  const config = await existingConfig(client, vm);
  if (!isVmOf(config['description'], vm.name)) {
    throw new IngotError('conflict', 'vm-not-ours', `${vm.name} (${vm.id}) on ${vm.on} was not made by ingot, or its notes were changed`, {
      hint: 'Delete it in the web interface.',
    });
  }
  if ((await client.call(REQUESTS.status(machine))).status !== 'stopped') {
    throw new IngotError('conflict', 'vm-running', `${vm.name} on ${vm.on} is running`, { hint: 'Stop it first, or use --force.' });
  }
  await destroyOurs(client, machine, (notes) => isVmOf(notes, vm.name));
}

/** Gives a VM other processors and memory, while it is off, and a larger disk. Throws `vm-running`, `disk-shrinks`. */
export async function resizeVm(
  client: ProxmoxClient,
  vm: RemoteVm,
  { cpus, memory, disk }: { readonly cpus?: number | undefined; readonly memory?: number | undefined; readonly disk?: number | undefined },
  span?: Span,
): Promise<void> {
  const machine = machineOf(vm);
  if (cpus !== undefined || memory !== undefined) {
    if ((await client.call(REQUESTS.status(machine))).status !== 'stopped') {
      throw new IngotError('conflict', 'vm-running', `${vm.name} on ${vm.on} is running`, { hint: 'Processors and memory change while it is off.' });
    }
    await client.call(REQUESTS.setConfig(machine, { cores: cpus, memory: memory === undefined ? undefined : Math.ceil(memory / 2 ** 20) }));
  }
  if (disk !== undefined) await resizeDisk(client, { name: vm.name, machine }, disk, span);
}

/** Lets the disk that a VM boots from grow to so many bytes. Throws `disk-shrinks`. */
export async function resizeDisk(
  client: ProxmoxClient,
  { name, machine }: { readonly name: string; readonly machine: MachineId },
  bytes: number,
  span?: Span,
): Promise<void> {
  const size = async (): Promise<number> => bootDiskSize((await configOf(client, machine)) ?? {}) ?? 0;
  const before = await size();
  if (bytes === before) return;
  if (bytes < before) {
    throw new IngotError('usage', 'disk-shrinks', `The disk of ${name} has ${formatSize(before)}, and disks do not shrink`, {
      hint: `Ask for ${formatSize(before)} or more.`,
    });
  }
  // In KiB, which is what a configuration can say exactly.
  const request = REQUESTS.resize(machine, machine.kind === 'lxc' ? 'rootfs' : 'scsi0', `${Math.ceil(bytes / 1024)}K`);
  await workOn(client, machine, `growing the disk of ${name}`, request, async () => (await size()) >= bytes, span);
}

/** Moves a VM to another node, running or not. */
export async function migrateVm(client: ProxmoxClient, vm: RemoteVm, to: string, span?: Span): Promise<void> {
  const machine = machineOf(vm);
  if (vm.place === to) return;
  const running = (await client.call(REQUESTS.status(machine))).status === 'running';
  const there = async (): Promise<boolean> => (await configOf(client, { node: to, vmid: machine.vmid })) !== undefined;
  await workOn(client, machine, `moving ${vm.name} to ${to}`, REQUESTS.migrate(machine, to, running), there, span);
}

/** What the server takes as the name of a snapshot; `current` is what it calls the present. */
const SNAPSHOT_NAME = /^(?!current$)[a-z][a-z0-9_-]{1,39}$/i;

/** Makes a snapshot. Throws `snapshot-name-invalid`, `snapshot-exists`. */
export async function snapshotVm(
  client: ProxmoxClient,
  vm: RemoteVm,
  { name, description, memory }: { readonly name: string; readonly description?: string | undefined; readonly memory: boolean },
  span?: Span,
): Promise<void> {
  if (!SNAPSHOT_NAME.test(name)) {
    throw new IngotError('usage', 'snapshot-name-invalid', `"${name}" cannot be the name of a snapshot on ${vm.on}`, {
      hint: 'Proxmox VE takes letters, digits, dashes and underscores, a letter first, from 2 to 40 of them, and not "current".',
    });
  }
  const machine = machineOf(vm);
  const there = async (): Promise<boolean> => (await listSnapshots(client, vm)).some((one) => one.name === name);
  if (await there()) throw new IngotError('conflict', 'snapshot-exists', `${vm.name} has a snapshot ${name} already`);
  await workOn(client, machine, `making the snapshot ${name} of ${vm.name}`, REQUESTS.snapshot(machine, name, memory, description), there, span);
}

/** Goes back to a snapshot. Throws `snapshot-unknown`. */
export async function restoreVm(client: ProxmoxClient, vm: RemoteVm, name: string, span?: Span): Promise<void> {
  await requireSnapshot(client, vm, name);
  const machine = machineOf(vm);
  const done = async (): Promise<boolean> => ((await configOf(client, machine)) ?? {})['parent'] === name;
  // A snapshot says itself whose child the present is; the same one again changes nothing that could be told, and does no harm.
  await workOn(client, machine, `restoring ${vm.name} to ${name}`, REQUESTS.rollback(machine, name), done, span);
}

export async function deleteSnapshot(client: ProxmoxClient, vm: RemoteVm, name: string, span?: Span): Promise<void> {
  await requireSnapshot(client, vm, name);
  const gone = async (): Promise<boolean> => !(await listSnapshots(client, vm)).some((one) => one.name === name);
  const machine = machineOf(vm);
  await workOn(client, machine, `deleting the snapshot ${name} of ${vm.name}`, REQUESTS.deleteSnapshot(machine, name), gone, span);
}

async function requireSnapshot(client: ProxmoxClient, vm: RemoteVm, name: string): Promise<void> {
  const all = (await listSnapshots(client, vm)).map((one) => one.name);
  if (all.includes(name)) return;
  throw new IngotError('not-found', 'snapshot-unknown', `${vm.name} has no snapshot ${name}`, {
    hint: all.length === 0 ? 'It has none.' : `It has ${all.join(', ')}.`,
  });
}

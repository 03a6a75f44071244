import { join } from 'node:path';
import * as z from 'zod';
import { IngotError, nearest } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { hostPath, parseName, type Digest, type HostPath, type Name } from '../../base/types.ts';
import { DISK_SLOTS } from './extra-disks.ts';
import { guestFiles, type Accelerator, type GuestDisk, type GuestSpec, type SshAccess } from './guest-spec.ts';
import { portKey, type RecordedPorts } from './ports.ts';
import { runningQemu } from './qemu-process.ts';
import { migrateVm } from './vm-migrate.ts';
import { ROOT_DISK, VM_VERSION, vmRecordSchema, type VmDisk, type VmRecord } from './vm-record.ts';

export { ROOT_DISK, VM_VERSION, type LabMembership, type LabSource, type VmDisk, type VmRecord } from './vm-record.ts';

/** Here, since making a schema costs more than using it, and a listing reads many records. */
const versionSchema = z.object({ v: z.int() });

/** The file that makes a folder in vms/ a VM. */
export function recordPath(folder: HostPath): HostPath {
  return hostPath(join(folder, 'vm.json'));
}

/** The names of all VMs, sorted. */
export async function vmNames(host: Pick<Host, 'files'>, home: Home): Promise<Name[]> {
  return (await host.files.list(home.vms)).map((name) => parseName(name, 'a VM'));
}

/** Reads a VM's record; undefined where there is no such VM. Throws `vm-damaged` and `vm-newer`. */
export async function findVm(host: Pick<Host, 'files'>, home: Home, name: Name): Promise<VmRecord | undefined> {
  const path = recordPath(home.vm(name));
  const text = await readTextIfThere(host.files, path);
  if (text === undefined) return undefined;
  const value = parseJson(text);
  const version = versionSchema.safeParse(value);
  if (version.success && version.data.v > VM_VERSION) {
    throw new IngotError('host', 'vm-newer', `The VM ${name} was made by a newer ingot`, { hint: 'Update ingot.' });
  }
  const current = version.success && version.data.v === VM_VERSION;
  const parsed = vmRecordSchema.safeParse(current ? value : migrateVm(value));
  if (parsed.success) return parsed.data.name === name ? parsed.data : { ...parsed.data, name, renamedFrom: parsed.data.name };
  throw new IngotError('verification', 'vm-damaged', `${path} is damaged`, {
    hint: `Delete the VM with \`ingot vm delete ${name} --force\`; its disk is lost then.`,
    problems: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
  });
}

/** Reads a VM's record; throws `vm-unknown` with the nearest names. */
export async function loadVm(host: Pick<Host, 'files'>, home: Home, name: Name): Promise<VmRecord> {
  const record = await findVm(host, home, name);
  if (record !== undefined) return record;
  throw await vmUnknown(host, home, name);
}

/** The error for a name that no VM has, with the nearest ones. */
export async function vmUnknown(host: Pick<Host, 'files'>, home: Home, name: Name): Promise<IngotError> {
  const names = await vmNames(host, home);
  const guesses = nearest(name, names);
  const hint =
    names.length === 0
      ? 'There is no VM yet; `ingot vm create` makes one.'
      : guesses.length > 0
        ? `Did you mean ${guesses.join(' or ')}?`
        : '`ingot vm list` shows them all.';
  return new IngotError('not-found', 'vm-unknown', `There is no VM named ${name}`, { hint });
}

/** Every VM's record, sorted by name. */
export async function loadVms(host: Pick<Host, 'files'>, home: Home): Promise<VmRecord[]> {
  const records = await Promise.all((await vmNames(host, home)).map((name) => findVm(host, home, name)));
  return records.filter((record) => record !== undefined);
}

/** Which images VMs use: digest of the manifest -> names of the VMs, sorted. A damaged record is an error, not an image without users. */
export async function imageUsers(host: Pick<Host, 'files'>, home: Home): Promise<Map<Digest, string[]>> {
  const users = new Map<Digest, string[]>();
  for (const { name, image } of await loadVms(host, home)) users.set(image.digest, [...(users.get(image.digest) ?? []), name]);
  return users;
}

/** The ports that VMs have, running or not, but for one of them, and who has each. */
export async function recordedPorts(host: Pick<Host, 'files'>, home: Home, except?: string): Promise<RecordedPorts> {
  const others = (await loadVms(host, home)).filter(({ name }) => name !== except);
  return new Map(others.flatMap((vm) => portsOf(vm).map((key) => [key, vm.name] as const)));
}

/** The ports that a VM has, as {@link portKey} names them. */
export function portsOf({ ssh, forwards }: Pick<VmRecord, 'ssh' | 'forwards'>): string[] {
  return [portKey('tcp', ssh.port), ...forwards.map(({ protocol, host }) => portKey(protocol, host))];
}

/** Writes a VM's record, whole. */
export async function saveVm(host: Pick<Host, 'files'>, home: Home, vm: VmRecord): Promise<void> {
  await replaceFile(host.files, recordPath(home.vm(parseName(vm.name, 'a VM'))), JSON.stringify(vm, undefined, 2), 0o600);
}

/** Whether the VM's QEMU runs, and as which process. */
export async function vmPid(host: Host, home: Home, name: Name): Promise<number | undefined> {
  return runningQemu(host, guestFiles(home.vm(name)).pid);
}

/** What the VM is started from. */
export function vmSpec(home: Home, vm: VmRecord, accelerator: Accelerator): GuestSpec {
  const folder = home.vm(parseName(vm.name, 'a VM'));
  return {
    name: vm.name,
    id: vm.id,
    folder,
    arch: vm.arch,
    firmware: vm.firmware,
    accelerator,
    cpus: vm.cpus,
    memory: vm.memory,
    disks: vm.disks.map((disk) => guestDisk(home, vm, disk)),
    seed: seedPath(folder),
    mac: vm.mac,
    forwards: vm.forwards,
    slots: DISK_SLOTS,
    ...(vm.shares === undefined ? {} : { shares: vm.shares }),
    ...(vm.tpm === undefined ? {} : { tpm: vm.tpm }),
    ...(vm.lab === undefined ? {} : { network: vm.lab.network }),
    ssh: sshAccess(home, vm),
  };
}

/** How one logs in to a VM. */
export function sshAccess(home: Home, vm: VmRecord): SshAccess {
  return {
    port: vm.ssh.port,
    ...(vm.ssh.guestPort === undefined ? {} : { guestPort: vm.ssh.guestPort }),
    user: vm.ssh.user,
    key: hostPath(join(home.keys, 'id_ed25519')),
    knownHosts: hostPath(join(home.vm(parseName(vm.name, 'a VM')), 'known_hosts')),
  };
}

/** Bytes that the disks of a VM alone take on the host. */
export async function diskUsed(host: Pick<Host, 'files'>, home: Home, vm: VmRecord): Promise<number> {
  const folder = home.vm(parseName(vm.name, 'a VM'));
  const found = await Promise.all(vm.disks.map(({ active }) => host.files.status(activePath(folder, active))));
  return found.reduce((sum, status) => sum + (status?.allocated ?? 0), 0);
}

/** The files of a disk: what it stands on, and what it writes to. */
export function guestDisk(home: Home, vm: Pick<VmRecord, 'name' | 'image'>, disk: VmDisk): GuestDisk {
  const folder = home.vm(parseName(vm.name, 'a VM'));
  return { name: disk.name, chain: diskChain(home, vm, disk), file: activePath(folder, disk.active), ...(disk.slot === undefined ? {} : { slot: disk.slot }) };
}

/** The read-only files that a disk, or a snapshot of it, stands on, bottom first. */
export function diskChain(home: Home, vm: Pick<VmRecord, 'image'>, disk: Pick<VmDisk, 'name' | 'frozen'>): HostPath[] {
  const image = disk.name === ROOT_DISK ? vm.image.layers.map((digest) => home.blob(digest)) : [];
  return [...image, ...disk.frozen.map((id) => home.frozenDisk(id))];
}

/** The file that a new overlay for a disk stands on. */
export function chainTop(home: Home, vm: Pick<VmRecord, 'name' | 'image'>, disk: Pick<VmDisk, 'name' | 'frozen'>): HostPath {
  const top = diskChain(home, vm, disk).at(-1);
  if (top === undefined) throw new IngotError('internal', 'disk-not-frozen', `The disk ${disk.name} of ${vm.name} stands on nothing`);
  return top;
}

/** The disk that a VM boots from. */
export function rootDisk(vm: Pick<VmRecord, 'name' | 'disks'>): VmDisk {
  const [root] = vm.disks;
  if (root === undefined) throw new IngotError('internal', 'vm-without-disk', `${vm.name} has no disk`);
  return root;
}

/** The file that a disk writes to. */
export function activePath(folder: HostPath, active: string): HostPath {
  return hostPath(join(folder, `${active}.qcow2`));
}

/** A VM's NoCloud seed. */
export function seedPath(folder: HostPath): HostPath {
  return hostPath(join(folder, 'seed.img'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

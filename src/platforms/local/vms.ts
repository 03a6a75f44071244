import { join } from 'node:path';
import * as z from 'zod';
import { IngotError, nearest } from '../../base/errors.ts';
import { readTextIfThere } from '../../base/files.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { hostPath, parseName, type Digest, type HostPath, type Name } from '../../base/types.ts';
import { digestSchema } from '../../store/model.ts';
import { architectureSchema, firmwareSchema, guestFiles, type Accelerator, type GuestSpec } from './guest-spec.ts';
import { runningQemu } from './qemu-process.ts';

/** Version of vm.json; newer ones are refused. */
export const VM_VERSION = 1;

/** What ingot knows of a VM: vm.json in its folder. Whether it runs is never stored, it is looked at. */
export const vmRecordSchema = z.object({
  v: z.literal(VM_VERSION),
  name: z.string(),
  /** UUID: of the machine, for SMBIOS, and of the instance, for cloud-init. */
  id: z.uuid(),
  image: z.object({
    /** As the user wrote it. */
    reference: z.string(),
    /** The manifest. */
    digest: digestSchema,
    /** The blobs of its layers, bottom first. */
    layers: z.array(digestSchema).min(1),
  }),
  arch: architectureSchema,
  firmware: firmwareSchema,
  cpus: z.int().positive(),
  /** Bytes. */
  memory: z.int().positive(),
  /** Bytes. */
  disk: z.int().positive(),
  mac: z.string(),
  ssh: z.object({
    user: z.string(),
    port: z.int().positive(),
    /** Where the guest's sshd listens; default 22. */
    guestPort: z.int().positive().optional(),
    /** The user chose the port: where it is taken, the VM does not start with another. */
    fixed: z.boolean(),
  }),
  created: z.iso.datetime(),
});
export type VmRecord = z.output<typeof vmRecordSchema>;

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
  const version = z.object({ v: z.int() }).safeParse(value);
  if (version.success && version.data.v > VM_VERSION) {
    throw new IngotError('host', 'vm-newer', `The VM ${name} was made by a newer ingot`, { hint: 'Update ingot.' });
  }
  const parsed = vmRecordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
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

/** The ports that VMs have, running or not, but for one of them. */
export async function recordedPorts(host: Pick<Host, 'files'>, home: Home, except?: string): Promise<Set<number>> {
  return new Set((await loadVms(host, home)).filter(({ name }) => name !== except).map(({ ssh }) => ssh.port));
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
    chain: vm.image.layers.map((digest) => home.blob(digest)),
    ...vmDisks(folder),
    mac: vm.mac,
    ssh: {
      port: vm.ssh.port,
      ...(vm.ssh.guestPort === undefined ? {} : { guestPort: vm.ssh.guestPort }),
      user: vm.ssh.user,
      key: hostPath(join(home.keys, 'id_ed25519')),
      knownHosts: hostPath(join(folder, 'known_hosts')),
    },
  };
}

/** The files of a VM's disks in its folder. */
export function vmDisks(folder: HostPath): { readonly disk: HostPath; readonly seed: HostPath } {
  return { disk: hostPath(join(folder, 'disk.qcow2')), seed: hostPath(join(folder, 'seed.img')) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

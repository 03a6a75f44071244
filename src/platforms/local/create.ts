import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath, type HostPath, type Name } from '../../base/types.ts';
import type { Image } from '../../store/model.ts';
import { layerPaths, openStore } from '../../store/store.ts';
import { accelerator } from './accelerator.ts';
import { checkBudget } from './budget.ts';
import { placeDisks, type NewDisk } from './extra-disks.ts';
import { checkForwards, forwardAt, portFor, type WantedForward } from './forwards.ts';
import { newFileId } from './frozen.ts';
import { defaultFirmware, findFirmware } from './firmware.ts';
import { architectureSchema, type Architecture, type Firmware } from './guest-spec.ts';
import { labSeed } from './lab-seed.ts';
import { checkDiskSize, makeEmptyDisk, makeOverlay } from './overlay.ts';
import { withFreePorts } from './ports.ts';
import { checkLayers, lockVm, startLocked } from './power.ts';
import { removeLocked } from './remove.ts';
import { makeSeed, seedContent } from './seed.ts';
import { planShares, type WantedShare } from './shares.ts';
import { ensureSshKey } from './ssh.ts';
import { findSwtpm } from './tpm.ts';
import type { LabContext } from './view.ts';
import type { Share } from './vm-record.ts';
import { activePath, recordPath, recordedPorts, ROOT_DISK, seedPath, VM_VERSION, vmNames, type LabMembership, type VmDisk, type VmRecord } from './vms.ts';

/** What a VM is made from. */
export interface NewVm {
  readonly name: Name;
  /** `name[:tag]` or `name@sha256:…` in the store. */
  readonly image: string;
  readonly cpus: number;
  /** Bytes. */
  readonly memory: number;
  /** Bytes; undefined for the default, or the image's size where that is more. */
  readonly disk: number | undefined;
  readonly firmware: Firmware | undefined;
  readonly sshPort: number | undefined;
  /** The user's own cloud-init user-data. */
  readonly userData: string | undefined;
  readonly networkConfig?: string;
  /** The user's own vendor-data; ingot's stays beside it. */
  readonly vendorData?: string;
  /** More lines of authorized_keys for the default user. */
  readonly sshKeys?: readonly string[];
  /** A crypt(5) hash: the default user may log in with its password. */
  readonly passwordHash?: string;
  readonly forwards?: readonly WantedForward[];
  /** Empty disks besides the root. */
  readonly extraDisks?: readonly NewDisk[];
  readonly shares?: readonly WantedShare[];
  readonly tpm?: boolean;
  /** It is a member of a lab. */
  readonly lab?: NewMember;
  readonly start: boolean;
  /** Start although the host's memory is short. */
  readonly force: boolean;
}

/** What a VM is made a member of a lab with. */
export interface NewMember extends Pick<LabMembership, 'name' | 'member' | 'source'> {
  readonly network: Omit<LabMembership['network'], 'mac'>;
  /** Lines of /etc/hosts, and the hash that stands for them; user-data can be in the way of their being written. */
  readonly hosts: { readonly text: string; readonly hash: string };
}

const DEFAULT_DISK = 10 * 2 ** 30;

/**
 * Makes a VM and starts it. It is made in a scratch folder and appears whole; where it cannot be started, it is gone again. Throws `vm-exists`,
 * `disk-too-small`, `port-taken`, `share-unsupported`, `tools-missing`, what resolving the image throws, and what starting throws.
 */
export async function createVm(context: LabContext, request: NewVm): Promise<VmRecord> {
  const { host, home } = context;
  const { name } = request;
  await using _lock = await lockVm(context, name, `vm create ${name}`);
  await refuseExisting(host, home, name);
  const image = await openStore(host, home).resolve(request.image);
  const arch = architectureOf(image);
  const firmware = request.firmware ?? defaultFirmware(arch, image.config['dev.ingot.image'].disk.firmware);
  const imageSize = image.config['dev.ingot.image'].disk.size;
  const disk = request.disk ?? Math.max(DEFAULT_DISK, imageSize);
  checkDiskSize(disk, imageSize);
  await findFirmware(host, arch, firmware);
  const forwards = request.forwards ?? [];
  checkForwards(forwards, request.sshPort);
  const extra = placeDisks([{ name: ROOT_DISK }], request.extraDisks ?? []).map((each) => ({ ...each, frozen: [], active: newFileId(host) }));
  const shares = await planShares(host, image, request.shares ?? []);
  if (request.tpm === true) await findSwtpm(host);
  if (!request.force) await checkBudget(context, { ...request, disks: [{ size: disk }, ...extra] }, { running: request.start, isNew: true });
  const chosen = request.start ? await accelerator(context, arch) : undefined;

  await using scratch = await makeScratch(host, home, `vm create ${name}`);
  const folder = hostPath(join(scratch.path, 'vm'));
  const id = randomUuid(host);
  const mac = randomMac(host);
  const lab = request.lab === undefined ? undefined : membership(request.lab, randomMac(host));
  const disks = [{ name: ROOT_DISK, size: disk, frozen: [], active: newFileId(host) }, ...extra];
  await fillFolder(host, home, folder, { request, image, disks, shares, id, mac, lab });
  const ssh = { protocol: 'tcp', address: '127.0.0.1', ...(request.sshPort === undefined ? {} : { preferred: request.sshPort, fixed: true }) } as const;
  const vm = await withFreePorts(
    host,
    home,
    { recorded: () => recordedPorts(host, home), wanted: [ssh, ...forwards.map((forward) => portFor(forward))], signal: context.signal },
    async ([port = 0, ...ports]) => {
      const record: VmRecord = {
        v: VM_VERSION,
        name,
        id,
        image: { reference: request.image, digest: image.digest, layers: image.layers.map(({ digest }) => digest) },
        arch,
        firmware,
        cpus: request.cpus,
        memory: request.memory,
        disks,
        mac,
        ssh: { user: image.config['dev.ingot.image'].defaultUser, port, ...sshPortOf(image), fixed: request.sshPort !== undefined },
        forwards: forwards.map((forward, index) => forwardAt(forward, ports[index] ?? 0)),
        ...(shares.length === 0 ? {} : { shares }),
        ...(request.tpm === true ? { tpm: true } : {}),
        ...(request.passwordHash === undefined ? {} : { passwordLogin: true }),
        snapshots: [],
        protected: false,
        autostart: false,
        ...(lab === undefined ? {} : { lab }),
        created: host.clock.now().toISOString(),
      };
      await host.files.write(recordPath(folder), JSON.stringify(record, undefined, 2), { mode: 0o600 });
      await host.files.sync(folder);
      await host.files.rename(folder, home.vm(name));
      await host.files.sync(home.vms);
      return record;
    },
  );
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeLocked(context, name));
  // From here on the store knows that the image is used; it may have been removed just before.
  await checkLayers(context, vm);
  if (request.start) await startLocked(context, vm, { force: request.force, ...(chosen === undefined ? {} : { accelerator: chosen }) });
  undo.move();
  return vm;
}

/** Where an image's sshd listens, where that is not port 22. */
export function sshPortOf(image: Image): { readonly guestPort?: number } {
  const port = image.config['dev.ingot.image'].guest?.sshPort;
  return port === undefined ? {} : { guestPort: port };
}

/** Throws `vm-exists`, with a name that is free, where there is a VM of that name. */
export async function refuseExisting(host: Host, home: Home, name: Name): Promise<void> {
  const names = await vmNames(host, home);
  if (!names.includes(name)) return;
  let number = 2;
  while (names.some((taken) => taken === `${name}-${number}`)) number += 1;
  throw new IngotError('conflict', 'vm-exists', `There is a VM named ${name} already`, {
    hint: `Use another name, such as ${name}-${number}, or delete it with \`ingot vm delete ${name}\`.`,
  });
}

function architectureOf(image: Image): Architecture {
  const parsed = architectureSchema.safeParse(image.config.architecture);
  if (parsed.success) return parsed.data;
  throw new IngotError('host', 'arch-unsupported', `The lab runs no machines of architecture ${image.config.architecture}`, {
    hint: `It runs ${architectureSchema.options.join(' and ')}.`,
  });
}

/** Makes the disks and the seed. */
async function fillFolder(
  host: Host,
  home: Home,
  folder: HostPath,
  what: { request: NewVm; image: Image; disks: readonly VmDisk[]; shares: readonly Share[]; id: string; mac: string; lab: LabMembership | undefined },
): Promise<void> {
  const { request, image, disks, shares, id, mac, lab } = what;
  await host.files.makeDirectory(folder, 0o700);
  const top = layerPaths(home, image).at(-1);
  if (top === undefined) throw new IngotError('verification', 'image-empty', `The image ${request.image} has no layers`);
  for (const { name, active, size } of disks) {
    await (name === ROOT_DISK ? makeOverlay(host, activePath(folder, active), top, size) : makeEmptyDisk(host, activePath(folder, active), size));
  }
  const key = await ensureSshKey(host, home);
  const hostname = lab?.member ?? request.name;
  const content = seedContent({ instanceId: id, hostname, publicKey: key.publicKey }, { ...request, shares });
  const hosts = request.lab?.hosts.text ?? '';
  await makeSeed(host, seedPath(folder), lab === undefined ? content : labSeed(content, { mac, network: lab.network, hosts }));
}

function membership({ name, member, source, network, hosts }: NewMember, mac: string): LabMembership {
  return { name, member, source, network: { mac, ...network }, hosts: source.userData === undefined ? hosts.hash : '', files: {}, scripts: [] };
}

/** A random UUID (RFC 9562, version 4) from the host's randomness. */
export function randomUuid(host: Pick<Host, 'random'>): string {
  const bytes = Buffer.from(host.random.bytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A random address for a network card, in the block that QEMU and KVM use. */
export function randomMac(host: Pick<Host, 'random'>): string {
  return ['52', '54', '00', ...Array.from(host.random.bytes(3), (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

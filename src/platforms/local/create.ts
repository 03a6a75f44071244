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
import { architectureSchema, type Accelerator, type Architecture, type Firmware } from './guest-spec.ts';
import { randomMac, randomUuid } from './identity.ts';
import { labSeed } from './lab-seed.ts';
import { checkDiskSize, makeEmptyDisk, makeOverlay } from './overlay.ts';
import { withFreePorts } from './ports.ts';
import { checkLayers, lockVm, startLocked } from './power.ts';
import { removeLocked, removeUnfinished } from './remove.ts';
import { makeSeed, seedContent } from './seed.ts';
import { planShares, type WantedShare } from './shares.ts';
import { ensureSshKey } from './ssh.ts';
import { findSwtpm } from './tpm.ts';
import type { LabContext } from './view.ts';
import type { Share } from './vm-record.ts';
import { activePath, recordPath, recordedPorts, ROOT_DISK, seedPath, VM_VERSION, vmNames, type LabMembership, type VmDisk, type VmRecord } from './vms.ts';
import type { WarmState } from './warm-record.ts';
import { startWarm, unlessWarmFails, useWarmState, warmShapeOf, warmStateFor } from './warm-start.ts';

export { randomMac, randomUuid } from './identity.ts';

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
  /** Start it from the memory of a machine that has booted the image already, where that can be; else it boots, and says why. */
  readonly warm?: boolean;
}

/** What a VM is made a member of a lab with. */
export interface NewMember extends Pick<LabMembership, 'name' | 'member' | 'source' | 'forwards'> {
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
  await removeUnfinished(context, name);
  await refuseExisting(host, home, name);
  const machine = await chooseMachine(context, request);
  const forwards = request.forwards ?? [];
  checkForwards(forwards, request.sshPort);
  const extra = placeDisks([{ name: ROOT_DISK }], request.extraDisks ?? []).map((each) => ({ ...each, frozen: [], active: newFileId(host) }));
  const shares = await planShares(host, machine.image, request.shares ?? []);
  if (request.tpm === true) await findSwtpm(host);
  if (!request.force) await checkBudget(context, { ...request, disks: [{ size: machine.disk }, ...extra] }, { running: request.start, isNew: true });
  const chosen = request.start ? await accelerator(context, machine.arch) : undefined;
  const plan: Plan = { ...machine, request, extra, shares, forwards, accelerator: chosen };
  const warm = chosen === undefined || request.warm !== true ? undefined : await findWarm(context, plan, chosen);
  return (warm === undefined ? undefined : await unlessWarmFails(context, name, () => makeVm(context, { ...plan, warm }))) ?? (await makeVm(context, plan));
}

/** What follows from an image and what is asked for. */
export interface MachineChoice {
  readonly image: Image;
  readonly arch: Architecture;
  readonly firmware: Firmware;
  /** Bytes. */
  readonly disk: number;
}

/** Resolves the image and fills in what was not asked for. Throws what resolving throws, `disk-too-small`, `firmware-missing`, `arch-unsupported`. */
export async function chooseMachine({ host, home }: LabContext, request: Pick<NewVm, 'image' | 'firmware' | 'disk'>): Promise<MachineChoice> {
  const image = await openStore(host, home).resolve(request.image);
  const arch = architectureOf(image);
  const firmware = request.firmware ?? defaultFirmware(arch, image.config['dev.ingot.image'].disk.firmware);
  const imageSize = image.config['dev.ingot.image'].disk.size;
  const disk = request.disk ?? Math.max(DEFAULT_DISK, imageSize);
  checkDiskSize(disk, imageSize);
  await findFirmware(host, arch, firmware);
  return { image, arch, firmware, disk };
}

/** All that is decided before anything is made. */
interface Plan extends MachineChoice {
  readonly request: NewVm;
  /** The disks besides the root. */
  readonly extra: readonly VmDisk[];
  readonly shares: Share[];
  readonly forwards: readonly WantedForward[];
  /** Undefined where it is not to be started. */
  readonly accelerator: Accelerator | undefined;
  /** What it starts from, where it does not boot. */
  readonly warm?: WarmState;
}

async function findWarm(context: LabContext, plan: Plan, chosen: Accelerator): Promise<WarmState | undefined> {
  const { request } = plan;
  return warmStateFor(context, warmShapeOf(plan, request), chosen, { name: request.name, force: request.force, refused: whyCold(request) });
}

/** What is told to a guest when it boots, or built into the machine: one that has booted cannot be given it. */
const AT_BOOT: ReadonlySet<string> = new Set(['userData', 'networkConfig', 'vendorData', 'sshKeys', 'passwordHash', 'extraDisks', 'shares', 'tpm', 'lab']);

/** Why a VM cannot start from a machine that has booted already, or undefined. */
function whyCold(request: NewVm): string | undefined {
  const wanted = Object.entries(request).filter(
    ([key, value]) => AT_BOOT.has(key) && value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0),
  );
  if (wanted.length === 0) return undefined;
  const words = wanted.map(([key]) => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  return `a machine that has booted already cannot be given ${words.join(', ')}`;
}

async function makeVm(context: LabContext, plan: Plan): Promise<VmRecord> {
  const { host, home } = context;
  const { request, image, arch, firmware, disk, extra, shares, forwards, accelerator: chosen, warm } = plan;
  const { name } = request;
  await using scratch = await makeScratch(host, home, `vm create ${name}`);
  const folder = hostPath(join(scratch.path, 'vm'));
  const id = randomUuid(host);
  const mac = randomMac(host);
  const lab = request.lab === undefined ? undefined : membership(request.lab, randomMac(host));
  const root = { name: ROOT_DISK, size: disk, frozen: warm === undefined ? [] : [warm.frozen], active: newFileId(host) };
  const disks = [root, ...extra];
  await fillFolder(host, home, folder, { request, image, disks, shares, id, mac, lab, below: warm === undefined ? undefined : home.frozenDisk(warm.frozen) });
  const ssh = { protocol: 'tcp', address: '127.0.0.1', ...(request.sshPort === undefined ? {} : { preferred: request.sshPort, fixed: true }) } as const;
  const vm = await withFreePorts(
    host,
    home,
    { recorded: () => recordedPorts(host, home), wanted: [ssh, ...forwards.map((forward) => portFor(forward))], signal: context.signal },
    async ([port = 0, ...ports]) => {
      await using _frozen = warm === undefined ? undefined : await useWarmState(context, warm);
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
        ...(warm === undefined ? {} : { pendingIdentity: true }),
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
  const finished = warm === undefined || chosen === undefined ? vm : await startWarm(context, vm, { warm, accelerator: chosen, force: request.force });
  if (request.start && warm === undefined) await startLocked(context, vm, { force: request.force, ...(chosen === undefined ? {} : { accelerator: chosen }) });
  undo.move();
  return finished;
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
  what: {
    request: NewVm;
    image: Image;
    disks: readonly VmDisk[];
    shares: readonly Share[];
    id: string;
    mac: string;
    lab: LabMembership | undefined;
    below: HostPath | undefined;
  },
): Promise<void> {
  const { request, image, disks, shares, id, mac, lab, below } = what;
  await host.files.makeDirectory(folder, 0o700);
  const top = below ?? layerPaths(home, image).at(-1);
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

function membership({ network, hosts, ...own }: NewMember, mac: string): LabMembership {
  return { ...own, network: { mac, ...network }, hosts: own.source.userData === undefined ? hosts.hash : '', files: {}, scripts: [] };
}

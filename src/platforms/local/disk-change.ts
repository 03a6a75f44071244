import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import type { Name } from '../../base/types.ts';
import { placeDisks, type NewDisk } from './extra-disks.ts';
import { newFileId, sweepFrozen, sweepVmFolder } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { makeEmptyDisk } from './overlay.ts';
import { holdVm, requireRunning } from './power.ts';
import { diskDevice, diskNodes, diskProperties } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';
import type { LabContext } from './view.ts';
import { ROOT_DISK } from './vm-record.ts';
import { activePath, guestDisk, saveVm, vmPid, type VmDisk, type VmRecord } from './vms.ts';

/** Seconds for a guest to let go of a disk; emulated ones are slow. */
const UNPLUG_SECONDS = 60;
const ASK_SECONDS = 60;

/** When a guest sees a change. */
export type Effect = 'now' | 'at-next-start';

/**
 * Adds an empty disk to a VM; a running one gets it at once, where its machine has slots. Throws `disk-exists`, `disk-slots-full`, `vm-suspended`,
 * `qemu-refused`; then nothing has changed.
 */
export async function addDisk(context: LabContext, name: Name, wanted: NewDisk): Promise<Effect> {
  const { host, home } = context;
  await using held = await holdVm(context, name, `vm disk ${name} add`);
  const { vm } = held;
  refuseSuspended(vm);
  const [placed] = placeDisks(vm.disks, [wanted]);
  if (placed === undefined) throw new IngotError('internal', 'disk-not-placed', 'The disk has no slot');
  const disk: VmDisk = { ...placed, frozen: [], active: newFileId(host) };
  const path = activePath(home.vm(name), disk.active);
  await using undo = new AsyncDisposableStack();
  undo.defer(() => host.files.remove(path));
  await makeEmptyDisk(host, path, disk.size);
  const next = { ...vm, disks: [...vm.disks, disk] };
  undo.defer(() => saveVm(host, home, vm));
  await saveVm(host, home, next);
  const effect = await plug(context, name, next, disk);
  undo.move();
  return effect;
}

async function plug({ host, home }: LabContext, name: Name, vm: VmRecord, disk: VmDisk): Promise<Effect> {
  if ((await vmPid(host, home, name)) === undefined) return 'at-next-start';
  using qmp = await QmpClient.connect(guestFiles(home.vm(name)).qmp);
  const guest = guestDisk(home, vm, disk);
  const nodes = diskNodes(guest, false);
  for (const node of nodes) await qmp.execute('blockdev-add', node);
  try {
    await qmp.execute('device_add', diskProperties(guest));
    return 'now';
  } catch (error) {
    for (const node of nodes.toReversed()) await qmp.execute('blockdev-del', { 'node-name': node['node-name'] });
    // It was started by an ingot whose machines had no slots.
    if (error instanceof IngotError && error.code === 'qemu-refused' && /bus .*not found/i.test(error.message)) return 'at-next-start';
    throw error;
  }
}

/**
 * Takes a disk away from a VM, with what is on it; snapshots keep what they have of it. A running guest must have unmounted it, unless `force`. Throws
 * `disk-unknown`, `disk-root`, `disk-in-use`, `disk-use-unknown`, `disk-not-released`, `vm-suspended`.
 */
export async function removeDisk(context: LabContext, name: Name, diskName: string, options: { readonly force: boolean }): Promise<void> {
  const { host, home } = context;
  await using held = await holdVm(context, name, `vm disk ${name} remove`);
  const { vm } = held;
  refuseSuspended(vm);
  const disk = findDisk(vm, diskName);
  if ((await vmPid(host, home, name)) !== undefined) {
    if (!options.force) await refuseMounted(context, name, disk);
    await unplug(context, name, disk);
  }
  const next = { ...vm, disks: vm.disks.filter((each) => each !== disk) };
  await saveVm(host, home, next);
  await sweepVmFolder(host, home, next);
  await sweepFrozen(context);
}

function findDisk({ name, disks }: VmRecord, wanted: string): VmDisk {
  if (wanted === ROOT_DISK) throw new IngotError('usage', 'disk-root', `The root disk of ${name} cannot be removed`);
  const found = disks.find((disk) => disk.name === wanted);
  if (found !== undefined) return found;
  const others = disks.filter((disk) => disk.name !== ROOT_DISK).map((disk) => disk.name);
  throw new IngotError('not-found', 'disk-unknown', `${name} has no disk named ${wanted}`, {
    hint: others.length === 0 ? 'It has its root disk alone.' : `It has ${others.join(', ')}.`,
  });
}

function refuseSuspended({ name, suspended }: VmRecord): void {
  if (suspended === undefined) return;
  throw new IngotError('conflict', 'vm-suspended', `${name} is suspended, and its memory fits the disks that it has`, {
    hint: 'Start it, which resumes it, then change its disks.',
  });
}

/** Asks the guest whether something of the disk is mounted, or swapped to. */
async function refuseMounted(context: LabContext, name: Name, disk: VmDisk): Promise<void> {
  const guest = await requireRunning(context, name);
  const asked = await guest.ssh(['lsblk', '-nro', 'MOUNTPOINT', `/dev/disk/by-id/virtio-${disk.name}`], { timeout: ASK_SECONDS, signal: context.signal });
  const hint = `Stop ${name} first, or use --force: what the guest has not written yet is lost then.`;
  if (asked.exitCode !== 0) {
    throw new IngotError('conflict', 'disk-use-unknown', `${name} does not tell whether it uses the disk ${disk.name}`, { hint, detail: asked.stderr.trim() });
  }
  const places = asked.stdout
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '');
  if (places.length === 0) return;
  throw new IngotError('conflict', 'disk-in-use', `${name} uses the disk ${disk.name}: ${places.join(', ')}`, {
    hint: `Unmount it there first. ${hint}`,
  });
}

async function unplug({ host, home, events, signal }: LabContext, name: Name, disk: VmDisk): Promise<void> {
  using qmp = await QmpClient.connect(guestFiles(home.vm(name)).qmp);
  const device = diskDevice(disk.name);
  if (await isPlugged(qmp, device)) {
    await events.stage(`Waiting for ${name} to let go of ${disk.name}`, async () => {
      await qmp.execute('device_del', { id: device });
      const limit = host.clock.monotonic() + UNPLUG_SECONDS * 1000;
      while (await isPlugged(qmp, device)) {
        if (host.clock.monotonic() > limit) {
          throw new IngotError('timeout', 'disk-not-released', `${name} did not let go of the disk ${disk.name} within ${UNPLUG_SECONDS} s`, {
            hint: `A guest that is still starting does not listen: try again, or stop ${name} first.`,
          });
        }
        await host.clock.sleep(0.2, signal);
      }
    });
  }
  await closeNodes(qmp, disk.name);
}

/** Closes a disk's files, the top first: a node on which another stands is refused until that one is gone. */
async function closeNodes(qmp: QmpClient, name: string): Promise<void> {
  const own = new RegExp(`^${name}-[a-z0-9]+$`);
  for (let before = Infinity; ;) {
    const nodes = nodesSchema.parse(await qmp.execute('query-named-block-nodes', { flat: true })).map((node) => node['node-name']);
    const left = nodes.filter((node) => own.test(node));
    if (left.length === 0 || left.length === before) return;
    before = left.length;
    for (const node of left) {
      await qmp.execute('blockdev-del', { 'node-name': node }).catch((error: unknown) => {
        if (!(error instanceof IngotError) || error.code !== 'qemu-refused') throw error;
      });
    }
  }
}

const nodesSchema = z.array(z.object({ 'node-name': z.string() }));
const devicesSchema = z.array(z.object({ name: z.string() }));

async function isPlugged(qmp: QmpClient, device: string): Promise<boolean> {
  return devicesSchema.parse(await qmp.execute('qom-list', { path: '/machine/peripheral' })).some(({ name }) => name === device);
}

import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import { randomId, type Host } from '../../base/host.ts';
import { takeLock } from '../../base/lock.ts';
import { parseName, type Name } from '../../base/types.ts';
import { guestFiles } from './guest-spec.ts';
import { isEmptyOverlay, makeOverlay } from './overlay.ts';
import { diskDevice, writableNode } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';
import { sealOf } from './ram-state.ts';
import type { LabContext } from './view.ts';
import { loadWarmStates } from './warm-record.ts';
import { activePath, diskChain, guestDisk, loadVm, loadVms, saveVm, vmPid, type VmDisk, type VmRecord } from './vms.ts';

/*
 * A disk is frozen by giving its VM a new, empty overlay on it: what was written until then is never written to again, so that snapshots and
 * clones can stand on it. Frozen files belong to nobody: one goes when no record names it any more.
 *
 * The record is written before a running QEMU is told, with the mark `unsettled`. Where ingot is killed between the two, QEMU goes on
 * writing to the file that the record calls frozen; whoever holds the VM next lets QEMU follow (settleDisks). A QEMU that has ended
 * needs none of that: the new overlay is empty, and stands on all that was written.
 */

/** Holds what names frozen files: from naming one until the record that does so is written, and while they are collected. */
export function lockFrozen({ host, home, signal }: Pick<LabContext, 'host' | 'home' | 'signal'>, what: string): Promise<AsyncDisposable> {
  return takeLock(host, home, 'frozen', { what, signal });
}

/** A new name for a disk or RAM file. */
export function newFileId(host: Pick<Host, 'random'>): string {
  return randomId(host.random);
}

/**
 * Freezes all disks of a VM, running or not, at one moment: each goes on in a new overlay. `change` is applied to the record in the same write.
 * Returns the new record. A running guest is not told, so that its file systems are as after a power cut; whoever wants more freezes them
 * before, or stops the machine. The caller holds the VM's lock. Throws `qemu-refused` and system errors; then nothing has changed.
 */
export async function freezeDisks(context: LabContext, vm: VmRecord, change: (vm: VmRecord) => VmRecord): Promise<VmRecord> {
  const { host, home } = context;
  const name = parseName(vm.name, 'a VM');
  const folder = home.vm(name);
  await host.files.makeDirectory(home.frozen, 0o700);
  await using _lock = await lockFrozen(context, `freezing the disks of ${name}`);
  await using undo = new AsyncDisposableStack();
  const [disks, made]: [VmDisk[], string[]] = [[], []];
  undo.defer(() => removeUnnamed(host, home, name, made));
  for (const disk of vm.disks) {
    const [frozen, active] = [newFileId(host), newFileId(host)];
    made.push(home.frozenDisk(frozen), activePath(folder, active));
    await host.files.link(activePath(folder, disk.active), home.frozenDisk(frozen));
    await makeOverlay(host, activePath(folder, active), home.frozenDisk(frozen), disk.size);
    disks.push({ ...disk, frozen: [...disk.frozen, frozen], active });
  }
  await host.files.sync(home.frozen);
  const running = (await vmPid(host, home, name)) !== undefined;
  const next = change({ ...vm, disks });
  if (!running) await saveVm(host, home, next);
  else {
    undo.defer(() => saveVm(host, home, vm));
    await saveVm(host, home, { ...next, unsettled: true });
    try {
      await followDisks(context, next);
    } catch (error) {
      // Only a refusal says that nothing has changed; anything else is settled by whoever holds the VM next.
      if (!(error instanceof IngotError) || error.code !== 'qemu-refused') undo.move();
      throw error;
    }
  }
  // A machine that has followed does not come back, nor does a record that is written.
  undo.move();
  if (running) await saveVm(host, home, next);
  await sweepVmFolder(host, home, next);
  return next;
}

/** Removes files that a freeze has made, but for those that the record names: it can have been written although writing it failed. */
async function removeUnnamed(host: Host, home: Home, name: Name, made: readonly string[]): Promise<void> {
  const vm = await loadVm(host, home, name);
  const named = frozenFilesOf(home, vm);
  for (const { active } of vm.disks) named.add(activePath(home.vm(name), active));
  for (const path of made) if (!named.has(path)) await host.files.remove(path);
}

/**
 * Lets a running QEMU follow a record that was written just before ingot was killed, and removes disks that a killed ingot left in the VM's folder. The
 * caller holds the VM's lock.
 */
export async function settleDisks(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  const { host, home } = context;
  const { unsettled, ...settled } = vm;
  if (unsettled !== undefined) {
    if ((await vmPid(host, home, parseName(vm.name, 'a VM'))) !== undefined) await followDisks(context, settled);
    await saveVm(host, home, settled);
  }
  // After QEMU has followed: until then it writes to a file that the record does not call active.
  await sweepVmFolder(host, home, settled);
  return settled;
}

const blockSchema = z.array(z.object({ qdev: z.string().optional(), inserted: z.object({ 'node-name': z.string().optional() }).optional() }));
const nodesSchema = z.array(z.object({ 'node-name': z.string() }));

/** Puts a running QEMU's disks onto the files that the record calls active, all at one moment; those that are there already stay. */
async function followDisks({ home }: LabContext, vm: VmRecord): Promise<void> {
  using qmp = await QmpClient.connect(guestFiles(home.vm(parseName(vm.name, 'a VM'))).qmp);
  const blocks = blockSchema.parse(await qmp.execute('query-block'));
  const nodes = new Set(nodesSchema.parse(await qmp.execute('query-named-block-nodes', { flat: true })).map((node) => node['node-name']));
  const actions: object[] = [];
  for (const disk of vm.disks) {
    const node = writableNode(guestDisk(home, vm, disk), false);
    const device = `/machine/peripheral/${diskDevice(disk.name)}/`;
    const current = blocks.find(({ qdev }) => `${qdev}/`.startsWith(device))?.inserted?.['node-name'];
    if (current === undefined) throw new IngotError('host', 'qemu-disk-missing', `The running machine of ${vm.name} has no disk ${disk.name}`);
    if (current === node['node-name']) continue;
    if (!nodes.has(node['node-name'])) await qmp.execute('blockdev-add', { ...node, backing: null });
    actions.push({ type: 'blockdev-snapshot', data: { node: current, overlay: node['node-name'] } });
  }
  if (actions.length > 0) await qmp.execute('transaction', { actions });
}

/**
 * Freezes all disks of a VM as {@link freezeDisks} does, unless it stands and has written to none of them: then they are as good as frozen. Returns the
 * record.
 */
export async function freezeWritten(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  const { host, home } = context;
  const folder = home.vm(parseName(vm.name, 'a VM'));
  if ((await vmPid(host, home, parseName(vm.name, 'a VM'))) === undefined) {
    const untouched = await Promise.all(
      vm.disks.map(async (disk) => diskChain(home, vm, disk).length > 0 && (await isEmptyOverlay(host, activePath(folder, disk.active)))),
    );
    if (untouched.every(Boolean)) return vm;
  }
  return await freezeDisks(context, vm, (record) => record);
}

/** Removes disks from a VM's folder that its record does not name: what a killed ingot left. */
export async function sweepVmFolder(host: Host, home: Home, vm: VmRecord): Promise<void> {
  const folder = home.vm(parseName(vm.name, 'a VM'));
  const wanted = new Set(vm.disks.map(({ active }) => `${active}.qcow2`));
  for (const file of await host.files.list(folder)) {
    if (file.endsWith('.qcow2') && !wanted.has(file)) await host.files.remove(join(folder, file));
  }
}

/** The frozen files that a VM's record names. */
export function frozenFilesOf(home: Home, vm: VmRecord): Set<string> {
  const disks = [...vm.disks, ...vm.snapshots.flatMap((snapshot) => snapshot.disks)].flatMap(({ frozen }) => frozen.map((id) => home.frozenDisk(id)));
  const ram = [vm.suspended, ...vm.snapshots.map((snapshot) => snapshot.ram)].flatMap((state) => (state === undefined ? [] : [home.frozenRam(state.file)]));
  const variables = vm.snapshots.flatMap(({ efiVariables }) => (efiVariables === undefined ? [] : [home.frozenVariables(efiVariables)]));
  return new Set([...disks, ...ram, ...ram.map(sealOf), ...variables]);
}

/**
 * Removes the frozen files that nothing names any more; returns how many bytes of the host's disk came back. A record that cannot be read
 * keeps everything: what it names is not known.
 */
export async function sweepFrozen(context: Pick<LabContext, 'host' | 'home' | 'signal'>): Promise<number> {
  const { host, home } = context;
  const found = await host.files.list(home.frozen);
  if (found.length === 0) return 0;
  await using _lock = await lockFrozen(context, 'removing disks that nothing stands on');
  const named = new Set((await loadVms(host, home)).flatMap((vm) => [...frozenFilesOf(home, vm)]));
  for (const state of await loadWarmStates(host, home)) named.add(home.frozenDisk(state.frozen));
  let freed = 0;
  for (const path of found.map((file) => join(home.frozen, file)).filter((file) => !named.has(file))) {
    freed += (await host.files.status(path))?.allocated ?? 0;
    await host.files.remove(path);
  }
  return freed;
}

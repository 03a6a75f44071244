import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { formatSize, hostPath, parseName, type HostPath, type Name } from '../../base/types.ts';
import type { SplitChain } from '../../disk/merge.ts';
import type { Context } from '../../operations/operation.ts';
import { freezeDisks } from '../../platforms/local/frozen.ts';
import { checkLayers, holdVm, requireRunning, startLocked } from '../../platforms/local/power.ts';
import { holdStill } from '../../platforms/local/still.ts';
import { findSnapshot } from '../../platforms/local/snapshot-tree.ts';
import { activePath, diskChain, loadVm, rootDisk, vmPid, type VmDisk, type VmRecord } from '../../platforms/local/vms.ts';

/** How the disk of a VM is taken. */
export interface TakeOptions {
  /** A snapshot's, instead of the disk as it is. */
  readonly snapshot: string | undefined;
  /** Shut a running VM down for it, and start it again. */
  readonly stop: boolean;
  /** Take a running VM's disk as it would be after a power cut. */
  readonly crashConsistent: boolean;
  /** Seconds for shutting down. */
  readonly timeout: number;
}

/** The disk of a VM at one moment: files that nobody writes to while this is held. */
export interface TakenDisk extends AsyncDisposable {
  readonly vm: VmRecord;
  /** Bytes of the disk. */
  readonly size: number;
  /** The image's layers, and what the VM wrote above them. */
  readonly chain: SplitChain;
  readonly taken: Date;
}

/**
 * Takes the root disk of a VM. A running one is frozen and goes on at once; its files are linked into the scratch folder, so that they stay whatever
 * becomes of the VM. One that stands is held until this is disposed of. Throws `vm-unknown`, `snapshot-unknown`, `agent-missing`, `guest-not-frozen`,
 * `vm-suspended`, `shutdown-timeout`, `image-gone`.
 */
export async function takeDisk(context: Context, name: Name, scratch: HostPath, options: TakeOptions): Promise<TakenDisk> {
  const { host, home, events } = context;
  await using stack = new AsyncDisposableStack();
  const { vm } = stack.use(await holdVm(context, name, `vm export ${name}`));
  const snapshot = options.snapshot === undefined ? undefined : findSnapshot(vm, options.snapshot);
  await checkLayers(context, snapshot === undefined ? vm : { ...vm, disks: snapshot.disks });
  const [, ...extra] = vm.disks;
  if (extra.length > 0) events.message('info', `Not part of the image: ${extra.map((disk) => `the disk ${disk.name} (${formatSize(disk.size)})`).join(', ')}`);
  if (snapshot !== undefined) {
    const root = snapshotRoot(vm, snapshot);
    const chain = await linkFrozen(context, vm, root, scratch);
    return { vm, size: root.size, chain, taken: new Date(snapshot.created), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  if ((await vmPid(host, home, name)) === undefined) {
    if (vm.suspended !== undefined && !options.crashConsistent) {
      throw new IngotError('conflict', 'vm-suspended', `${name} is suspended, and what its memory holds is not on its disk`, {
        hint: `Resume it first, or use --crash-consistent: its disk is then as after a power cut.`,
      });
    }
    const held = stack.move();
    return {
      vm,
      size: rootDisk(vm).size,
      chain: chainNow(context, vm, undefined),
      taken: host.clock.now(),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  }
  const frozen = await freezeRunning(context, vm, options);
  const chain = await linkFrozen(context, frozen, rootDisk(frozen), scratch);
  return { vm: frozen, size: rootDisk(frozen).size, chain, taken: host.clock.now(), [Symbol.asyncDispose]: () => Promise.resolve() };
}

async function freezeRunning(context: Context, vm: VmRecord, options: TakeOptions): Promise<VmRecord> {
  const { events } = context;
  if (options.stop) return await freezeStopped(context, vm, options.timeout);
  if (!options.crashConsistent) {
    return await events.stage(`${vm.name} comes to rest`, async () => {
      await using still = await holdStill(context, vm, { flush: 'must' });
      return await freezeDisks(context, still.vm, (record) => record);
    });
  }
  events.message('warn', `The disk of ${vm.name} is taken as after a power cut: what its programs have not written yet is missing`);
  return await freezeDisks(context, vm, (record) => record);
}

/** Shuts a VM down, freezes its disks, and starts it again, whatever happened meanwhile. */
async function freezeStopped(context: Context, vm: VmRecord, timeout: number): Promise<VmRecord> {
  const { host, home, events, signal } = context;
  const name = parseName(vm.name, 'a VM');
  const guest = await requireRunning(context, name);
  // Also where it is interrupted: the VM ran when this began.
  const always = { ...context, signal: new AbortController().signal };
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    if ((await vmPid(host, home, name)) !== undefined) {
      if (signal.aborted) events.message('warn', `${name} was asked to shut down, and may do so still: \`ingot vm start ${name}\` starts it`);
      return;
    }
    await events.stage(`${name} starts again`, async () => startLocked(always, await loadVm(host, home, name), { force: true }));
  });
  const stopped = await events.stage(`${name} shuts down`, () => guest.powerdown({ timeout, signal }));
  if (stopped) return await freezeDisks(always, vm, (record) => record);
  throw new IngotError('timeout', 'shutdown-timeout', `${name} did not shut down within ${timeout} s, and runs on`, {
    hint: 'Give it longer with --timeout, or use --crash-consistent: its disk is then as after a power cut.',
    detail: `The end of the console:\n${await guest.consoleTail(20)}`,
  });
}

/** Links frozen files into a scratch folder: they stay although the VM, or the snapshot, is deleted. The caller holds the VM's lock. */
async function linkFrozen(context: Context, vm: VmRecord, disk: Pick<VmDisk, 'name' | 'frozen'>, scratch: HostPath): Promise<SplitChain> {
  const { below, above } = splitChain(context, vm, disk);
  const linked = above.map((_, i) => hostPath(join(scratch, `frozen-${i}.qcow2`)));
  for (const [i, path] of above.entries()) await context.host.files.link(path, linked[i] ?? path);
  return { below, above: linked };
}

/** The files of a VM's root disk as it is, or as it was in a snapshot. Throws `snapshot-unknown`. */
export function chainNow(context: Context, vm: VmRecord, snapshot: string | undefined): SplitChain {
  if (snapshot !== undefined) return splitChain(context, vm, snapshotRoot(vm, findSnapshot(vm, snapshot)));
  const root = rootDisk(vm);
  const { below, above } = splitChain(context, vm, root);
  return { below, above: [...above, activePath(context.home.vm(parseName(vm.name, 'a VM')), root.active)] };
}

function splitChain({ home }: Context, vm: VmRecord, disk: Pick<VmDisk, 'name' | 'frozen'>): SplitChain {
  const all = diskChain(home, vm, disk);
  return { below: all.slice(0, vm.image.layers.length), above: all.slice(vm.image.layers.length) };
}

function snapshotRoot(vm: VmRecord, { name, disks: [root] }: VmRecord['snapshots'][number]): Pick<VmDisk, 'name' | 'size' | 'frozen'> {
  if (root !== undefined) return root;
  throw new IngotError('internal', 'snapshot-empty', `The snapshot ${name} of ${vm.name} has no disk`);
}

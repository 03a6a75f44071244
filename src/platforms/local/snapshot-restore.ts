import { IngotError } from '../../base/errors.ts';
import { hostPath, parseName, type Name } from '../../base/types.ts';
import { newFileId, sweepFrozen, sweepVmFolder } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { makeOverlay } from './overlay.ts';
import { holdVm, startLocked, stopLocked } from './power.ts';
import { findSnapshot } from './snapshot-tree.ts';
import { settleStill } from './still.ts';
import type { VmDisk, VmSnapshot } from './vm-record.ts';
import type { LabContext } from './view.ts';
import { activePath, chainTop, diskChain, loadVm, saveVm, vmPid, type VmRecord } from './vms.ts';

export interface RestoreRequest {
  readonly snapshot: string;
  /** Also of a running or suspended VM, whose machine is ended. */
  readonly force: boolean;
  /** Start it afterwards; undefined for where the snapshot has a memory. */
  readonly start: boolean | undefined;
}

/**
 * Puts a VM back to a snapshot: disks, UEFI variables, processors and memory are as they were. What was written since is lost. Throws
 * `snapshot-unknown`, `snapshot-file-gone`, `vm-running`, and what starting throws: then it is restored, and stands.
 */
export async function restoreSnapshot(context: LabContext, name: Name, request: RestoreRequest): Promise<VmRecord> {
  const { host, home } = context;
  await using held = await holdVm(context, name, `vm snapshot restore ${name}`);
  const snapshot = findSnapshot(held.vm, request.snapshot);
  await checkFiles(context, held.vm, snapshot);
  const runs = (await vmPid(host, home, name)) !== undefined;
  if (!request.force && (runs || held.vm.suspended !== undefined)) {
    throw new IngotError('conflict', 'vm-running', `${name} is ${runs ? 'running' : 'suspended'}: what it has in memory, and has written, would be lost`, {
      hint: `Keep it with \`ingot vm snapshot create ${name} --ram\` first, or use --force.`,
    });
  }
  if (runs) await stopLocked(context, held.vm, { timeout: 0, force: true });
  const vm = await settleStill(context, held.vm);
  const next = await putBack(context, vm, snapshot);
  context.events.message('info', `What ${name} had written since it stood on ${vm.standsOn ?? 'its image'} is gone`);
  if (request.start ?? snapshot.ram !== undefined) await startLocked(context, next, { force: request.force });
  return await loadVm(host, home, name);
}

/** New overlays on the snapshot's files; the record says so in one step, then the old ones go. */
async function putBack(context: LabContext, vm: VmRecord, snapshot: VmSnapshot): Promise<VmRecord> {
  const { host, home } = context;
  const folder = home.vm(parseName(vm.name, 'a VM'));
  await using undo = new AsyncDisposableStack();
  const disks: VmDisk[] = [];
  for (const disk of snapshot.disks) {
    const active = newFileId(host);
    undo.defer(() => removeUnlessNamed(context, vm, active));
    await makeOverlay(host, activePath(folder, active), chainTop(home, vm, disk), disk.size);
    disks.push({ ...disk, active });
  }
  // Without a memory that knows its machine, a disk that was added later can stay.
  const added = snapshot.ram === undefined ? vm.disks.filter(({ name }) => !disks.some((disk) => disk.name === name)) : [];
  const { suspended: _, ...rest } = vm;
  const { efiVariables } = guestFiles(folder);
  if (snapshot.efiVariables !== undefined) {
    const fresh = hostPath(`${efiVariables}.new`);
    await host.files.copy(home.frozenVariables(snapshot.efiVariables), fresh);
    await host.files.sync(fresh);
    await host.files.rename(fresh, efiVariables);
  }
  const next: VmRecord = {
    ...rest,
    disks: [...disks, ...added],
    cpus: snapshot.cpus,
    memory: snapshot.memory,
    standsOn: snapshot.name,
    ...(snapshot.ram === undefined ? {} : { suspended: snapshot.ram }),
  };
  await saveVm(host, home, next);
  undo.move();
  await sweepVmFolder(host, home, next);
  await sweepFrozen(context);
  return next;
}

/** The record can have been written although writing it failed. */
async function removeUnlessNamed({ host, home }: LabContext, { name }: VmRecord, active: string): Promise<void> {
  const vm = await loadVm(host, home, parseName(name, 'a VM'));
  if (!vm.disks.some((disk) => disk.active === active)) await host.files.remove(activePath(home.vm(parseName(name, 'a VM')), active));
}

/** Everything that a snapshot consists of must be there before anything else goes. */
async function checkFiles({ host, home }: LabContext, vm: VmRecord, snapshot: VmSnapshot): Promise<void> {
  const { ram, efiVariables } = snapshot;
  const files = [
    ...snapshot.disks.flatMap((disk) => diskChain(home, vm, disk)),
    ...(ram === undefined ? [] : [home.frozenRam(ram.file)]),
    ...(efiVariables === undefined ? [] : [home.frozenVariables(efiVariables)]),
  ];
  for (const file of files) {
    if ((await host.files.status(file)) !== undefined) continue;
    throw new IngotError('verification', 'snapshot-file-gone', `A file of the snapshot ${snapshot.name} of ${vm.name} is gone: ${file}`, {
      hint: `Bring it back from a backup, or delete the snapshot with \`ingot vm snapshot delete ${vm.name} ${snapshot.name}\`. The VM is as it was.`,
    });
  }
}

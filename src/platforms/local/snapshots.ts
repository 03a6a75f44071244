import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath, parseName, type Name } from '../../base/types.ts';
import { freezeWritten, lockFrozen, newFileId, sweepFrozen } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { holdVm } from './power.ts';
import { findSnapshot, freeSnapshotName, withoutSnapshot } from './snapshot-tree.ts';
import { holdStill, type StillVm } from './still.ts';
import type { VmDisk, VmSnapshot } from './vm-record.ts';
import { keepRam, requireRamSavable, saveVmRam } from './vm-ram.ts';
import type { LabContext } from './view.ts';
import { saveVm, type VmRecord } from './vms.ts';

export interface NewSnapshot {
  /** Undefined for the first free one of `snapshot-1`, `snapshot-2`, … */
  readonly name: Name | undefined;
  /** With the memory of the machine, so that restoring it goes on instead of booting. */
  readonly ram: boolean;
  readonly description: string | undefined;
}

/** A snapshot that was made, and of what. */
export interface MadeSnapshot {
  readonly vm: VmRecord;
  readonly snapshot: VmSnapshot;
}

/**
 * Makes a snapshot of each VM, all at one moment: they stand still until the last one is done. Throws `snapshot-exists`, `vm-not-running` and
 * `ram-unsupported` (with `ram`), and what freezing disks and saving memory throw; then none of those has the snapshot whose turn had not come.
 */
export async function createSnapshots(context: LabContext, names: readonly Name[], request: NewSnapshot): Promise<MadeSnapshot[]> {
  await using stack = new AsyncDisposableStack();
  const records: VmRecord[] = [];
  // In one order for all commands, so that no two wait for each other.
  for (const name of [...new Set(names)].toSorted()) records.push(stack.use(await holdVm(context, name, `vm snapshot create ${name}`)).vm);
  const name = request.name ?? freeSnapshotName(records);
  for (const vm of records) {
    if (!vm.snapshots.some((snapshot) => snapshot.name === name)) continue;
    throw new IngotError('conflict', 'snapshot-exists', `${vm.name} has a snapshot ${name} already`, {
      hint: `Use another name, such as ${freeSnapshotName(records)}, or delete it with \`ingot vm snapshot delete ${vm.name} ${name}\`.`,
    });
  }
  if (request.ram) records.forEach(requireRamSavable);
  const still: StillVm[] = [];
  for (const vm of records) still.push(stack.use(await holdStill(context, vm, { flush: request.ram ? 'no' : 'try' })));
  for (const { vm, how } of still) {
    if (request.ram && how === 'off' && vm.suspended === undefined) {
      throw new IngotError('conflict', 'vm-not-running', `${vm.name} does not run, so it has no memory to save`, { hint: 'Leave --ram away.' });
    }
    if (!request.ram && how === 'processors') {
      context.events.message('info', `No guest agent answers in ${vm.name}: its filesystems are as after a power cut`);
    }
  }
  const made: MadeSnapshot[] = [];
  for (const one of still) made.push(await snapshotStill(context, one, { ...request, name }));
  return made;
}

async function snapshotStill(context: LabContext, still: StillVm, request: Omit<NewSnapshot, 'name'> & { readonly name: string }): Promise<MadeSnapshot> {
  const { host, home } = context;
  const folder = home.vm(parseName(still.vm.name, 'a VM'));
  const { efiVariables } = guestFiles(folder);
  await using scratch = await makeScratch(host, home, `vm snapshot create ${still.vm.name}`);
  const hasVariables = (await host.files.status(efiVariables)) !== undefined;
  const variables = hasVariables ? newFileId(host) : undefined;
  const copy = hostPath(join(scratch.path, 'variables.fd'));
  // Before the memory: a machine whose state was saved gives its disks away.
  const frozen = await freezeWritten(context, still.vm);
  if (variables !== undefined) {
    await host.files.copy(efiVariables, copy);
    await host.files.sync(copy);
  }
  const saved = request.ram && still.how !== 'off' ? { file: newFileId(host), ...(await saveVmRam(context, frozen, scratch.path)) } : undefined;
  const ram = saved ?? (request.ram ? frozen.suspended : undefined);
  const snapshot: VmSnapshot = {
    name: request.name,
    created: host.clock.now().toISOString(),
    ...(request.description === undefined ? {} : { description: request.description }),
    ...(frozen.standsOn === undefined ? {} : { parent: frozen.standsOn }),
    disks: frozen.disks.map(withoutActive),
    cpus: frozen.cpus,
    memory: frozen.memory,
    ...(ram === undefined ? {} : { ram }),
    ...(variables === undefined ? {} : { efiVariables: variables }),
  };
  const next: VmRecord = { ...frozen, snapshots: [...frozen.snapshots, snapshot], standsOn: snapshot.name };
  await host.files.makeDirectory(home.frozen, 0o700);
  await using _lock = await lockFrozen(context, `keeping a snapshot of ${frozen.name}`);
  if (saved !== undefined) await keepRam(context, scratch.path, saved.file);
  if (variables !== undefined) await host.files.rename(copy, home.frozenVariables(variables));
  await host.files.sync(home.frozen);
  await saveVm(host, home, next);
  return { vm: next, snapshot };
}

function withoutActive(disk: VmDisk): Omit<VmDisk, 'active'> {
  const { active: _, ...rest } = disk;
  return rest;
}

/**
 * Deletes a snapshot: its name, and of its files those that nothing else stands on. Returns the bytes of the host's disk that came back. Throws
 * `snapshot-unknown`.
 */
export async function deleteSnapshot(context: LabContext, name: Name, snapshot: string): Promise<number> {
  await using held = await holdVm(context, name, `vm snapshot delete ${name}`);
  findSnapshot(held.vm, snapshot);
  await saveVm(context.host, context.home, withoutSnapshot(held.vm, snapshot));
  return await sweepFrozen(context);
}

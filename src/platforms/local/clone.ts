import { join } from 'node:path';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath, type HostPath, type Name } from '../../base/types.ts';
import { checkBudget } from './budget.ts';
import { randomMac, randomUuid, refuseExisting } from './create.ts';
import { flatten } from './flatten.ts';
import { freezeWritten, newFileId } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { makeOverlay } from './overlay.ts';
import { withFreePort } from './ports.ts';
import { checkLayers, holdVm, lockVm, startLocked } from './power.ts';
import { removeLocked } from './remove.ts';
import { makeSeed, readSeed } from './seed.ts';
import { withIdentity } from './seed-identity.ts';
import { holdStill } from './still.ts';
import type { VmDisk } from './vm-record.ts';
import type { LabContext } from './view.ts';
import { activePath, chainTop, diskChain, recordPath, recordedPorts, ROOT_DISK, seedPath, type VmRecord } from './vms.ts';

export interface CloneRequest {
  readonly source: Name;
  readonly target: Name;
  /** Copy what the source has written, instead of standing on it. */
  readonly full: boolean;
  readonly start: boolean;
  /** Start it although the budget or the host's memory is short. */
  readonly force: boolean;
}

/**
 * Makes a VM that has what another one has on its disks, and an identity of its own: instance, machine-id, host keys, hostname, address, port.
 * A linked one stands on the source's disks, which are frozen and go on above; a full one stands on the image alone. A running source is held
 * still for a moment. Shared folders are shared with both; a TPM is made anew. Throws `vm-unknown`, `vm-exists`, `seed-foreign`, `flatten-failed`, and what starting throws.
 */
export async function cloneVm(context: LabContext, request: CloneRequest): Promise<VmRecord> {
  const { host, home } = context;
  const { target } = request;
  await refuseExisting(host, home, target);
  // In one order for all commands, so that no two wait for each other.
  await using stack = new AsyncDisposableStack();
  const what = `vm clone ${request.source} ${target}`;
  if (target < request.source) stack.use(await lockVm(context, target, what));
  const held = stack.use(await holdVm(context, request.source, what));
  if (target > request.source) stack.use(await lockVm(context, target, what));
  await refuseExisting(host, home, target);
  await checkLayers(context, held.vm);
  if (!request.force) await checkBudget(context, { ...held.vm, name: target }, { running: request.start, isNew: true });

  const source = await freezeSource(context, held.vm);
  await using scratch = await makeScratch(host, home, what);
  const folder = hostPath(join(scratch.path, 'vm'));
  await host.files.makeDirectory(folder, 0o700);
  const disks: VmDisk[] = [];
  for (const disk of source.disks) disks.push(await cloneDisk(context, source, disk, folder, request));
  const id = randomUuid(host);
  const from = home.vm(request.source);
  const identity = { hostname: target, instanceId: id, ...(source.lab === undefined ? {} : { ownNetwork: true as const }) };
  await makeSeed(host, seedPath(folder), withIdentity(await readSeed(host, seedPath(from)), identity));
  const { efiVariables } = guestFiles(from);
  if ((await host.files.status(efiVariables)) !== undefined) await host.files.copy(efiVariables, guestFiles(folder).efiVariables);
  if (source.tpm === true) context.events.message('info', `${target} has a TPM of its own, which is empty: what that of ${source.name} holds stays there`);
  if (source.forwards.length > 0)
    context.events.message('info', `${target} has none of the ${source.forwards.length} port forwards of ${source.name}: its ports are taken`);

  const vm = await withFreePort(host, home, { recorded: () => recordedPorts(host, home), signal: context.signal }, async (port) => {
    // It is no member of the source's lab: two machines cannot have one address.
    const { lab: _lab, standsOn: _standsOn, suspended: _suspended, still: _still, unsettled: _unsettled, ...rest } = source;
    const record: VmRecord = {
      ...rest,
      name: target,
      id,
      disks,
      mac: randomMac(host),
      ssh: { ...source.ssh, port, fixed: false },
      forwards: [],
      snapshots: [],
      protected: false,
      autostart: false,
      created: host.clock.now().toISOString(),
    };
    await host.files.write(recordPath(folder), JSON.stringify(record, undefined, 2), { mode: 0o600 });
    await host.files.sync(folder);
    await host.files.rename(folder, home.vm(target));
    await host.files.sync(home.vms);
    return record;
  });
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeLocked(context, target));
  if (request.start) await startLocked(context, vm, { force: request.force });
  undo.move();
  return vm;
}

/** The source with frozen disks, held still while that happens. */
async function freezeSource(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  await using still = await holdStill(context, vm, { flush: 'try' });
  if (still.how === 'processors') context.events.message('info', `No guest agent answers in ${vm.name}: the clone's filesystems are as after a power cut`);
  return await freezeWritten(context, still.vm);
}

async function cloneDisk(context: LabContext, source: VmRecord, disk: VmDisk, folder: HostPath, request: CloneRequest): Promise<VmDisk> {
  const { host, home } = context;
  const active = newFileId(host);
  const file = activePath(folder, active);
  await makeOverlay(host, file, chainTop(home, source, disk), disk.size);
  if (!request.full) return { ...disk, active };
  const keep = disk.name === ROOT_DISK ? source.image.layers.length : 0;
  const chain = diskChain(home, source, disk);
  if (chain.length > keep) await flatten(context, [...chain, file], keep, `Copying the disk ${disk.name} of ${source.name}`);
  return { ...disk, frozen: [], active };
}

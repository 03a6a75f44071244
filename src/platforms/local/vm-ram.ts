import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { hostPath, parseName, type HostPath } from '../../base/types.ts';
import { accelerator } from './accelerator.ts';
import { findFirmware } from './firmware.ts';
import { guestFiles, type Accelerator, type GuestSpec } from './guest-spec.ts';
import type { Guest } from './guest.ts';
import { qemuArguments } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';
import { hasRamState, ramStateKey, restoreRamState, saveRamState, sealOf } from './ram-state.ts';
import type { RamFile } from './vm-record.ts';
import type { LabContext } from './view.ts';
import { vmSpec, type VmRecord } from './vms.ts';

/** Names what can restore a VM's memory: its machine, without what may differ from start to start (names, ports, files). */
export async function vmRamKey({ host, home }: Pick<LabContext, 'host' | 'home'>, vm: VmRecord, chosen: Accelerator): Promise<string> {
  const spec = vmSpec(home, vm, chosen);
  const bare: GuestSpec = {
    ...spec,
    name: 'vm',
    id: '',
    mac: '',
    folder: hostPath('/vm'),
    disks: spec.disks.map(({ name }) => ({ name, chain: [], file: hostPath('/vm/disk.qcow2') })),
    ...(spec.seed === undefined ? {} : { seed: hostPath('/vm/seed.img') }),
    ssh: { ...spec.ssh, port: 1 },
    forwards: [],
  };
  const firmware = await findFirmware(host, vm.arch, vm.firmware);
  const words = qemuArguments(bare, { firmware, disposable: false, sandbox: false });
  return ramStateKey(host, { arch: vm.arch, accelerator: chosen, machine: [words, vm.disks.map(({ size }) => size)] });
}

/** Refuses a VM whose memory cannot be saved, before anything is done with it. Throws `ram-unsupported`. */
export function requireRamSavable({ name, shares, tpm }: VmRecord): void {
  const why = shares !== undefined ? 'it has shared folders, whose state is not in it' : tpm === true ? 'it has a TPM, whose state is not in it' : undefined;
  if (why === undefined) return;
  throw new IngotError('conflict', 'ram-unsupported', `The memory of ${name} cannot be saved: ${why}`, {
    hint: `\`ingot vm suspend ${name} --pause\` only stops its processors, and a snapshot without --ram keeps its disks.`,
  });
}

/**
 * Writes the memory of a VM that stands still to a file in `folder`, a scratch folder; {@link keepRam} takes it into frozen/. The machine stays
 * still. Throws `ram-state-unsaved`, and system errors where the disk is full.
 */
export async function saveVmRam(context: LabContext, vm: VmRecord, folder: HostPath): Promise<Omit<RamFile, 'file'>> {
  const { host, home, signal } = context;
  const chosen = await accelerator({ host, home, signal }, vm.arch);
  const key = await vmRamKey(context, vm, chosen);
  const path = ramIn(folder);
  const bytes = await context.events.stage(`Saving the memory of ${vm.name}`, async () => {
    using qmp = await QmpClient.connect(guestFiles(home.vm(parseName(vm.name, 'a VM'))).qmp);
    return await saveRamState(host, qmp, path, { socket: hostPath(join(folder, 'ram.sock')), signal });
  });
  return { key, bytes };
}

/** Moves a state that {@link saveVmRam} wrote into frozen/. The caller holds the lock of frozen files until a record names it. */
export async function keepRam({ host, home }: LabContext, folder: HostPath, file: string): Promise<void> {
  await host.files.rename(ramIn(folder), home.frozenRam(file));
  await host.files.rename(sealOf(ramIn(folder)), sealOf(home.frozenRam(file)));
  await host.files.sync(home.frozen);
}

/** Makes sure that a state can be restored in a VM. Throws `ram-state-refused` with the reason. */
export async function checkRam(context: LabContext, vm: VmRecord, ram: RamFile, chosen: Accelerator): Promise<void> {
  const found = await hasRamState(context.host, context.home.frozenRam(ram.file));
  if (found === 'missing') throw refused(vm, 'its file is gone');
  if (found === 'changed') throw refused(vm, 'its file has changed since it was written');
  if ((await vmRamKey(context, vm, chosen)) !== ram.key) {
    throw refused(vm, 'it was saved by another QEMU, or for a machine with other devices, processors or memory');
  }
}

/** Fills a machine that was started with the state's file as `incoming`, and lets it go on after `beforeGoOn`. Throws `ram-state-refused`. */
export async function restoreVmRam(context: LabContext, vm: VmRecord, guest: Guest, ram: RamFile, beforeGoOn: () => Promise<void>): Promise<void> {
  const { host, home, signal } = context;
  try {
    using qmp = await guest.qmp();
    await restoreRamState(host, qmp, home.frozenRam(ram.file), { signal, beforeGoOn });
  } catch (error) {
    if (error instanceof IngotError && error.code === 'ram-state-refused') throw refused(vm, error.message, error);
    throw error;
  }
}

function refused({ name }: Pick<VmRecord, 'name'>, why: string, cause?: unknown): IngotError {
  return new IngotError('host', 'ram-state-refused', `${name} cannot go on from its saved memory: ${why}`, {
    hint: `\`ingot vm start ${name} --discard\` boots it anew, with its disks as they are.`,
    ...(cause === undefined ? {} : { cause }),
  });
}

function ramIn(folder: HostPath): HostPath {
  return hostPath(join(folder, 'state.ram'));
}

import { IngotError } from '../../base/errors.ts';
import { makeScratch } from '../../base/scratch.ts';
import { parseName } from '../../base/types.ts';
import { withAgent } from './agent.ts';
import { lockFrozen, newFileId, sweepFrozen } from './frozen.ts';
import { guestFiles, type Accelerator } from './guest-spec.ts';
import { startGuest } from './guest.ts';
import { machineStatus, notRunning, stateOf } from './machine-state.ts';
import { endQemu } from './qemu-process.ts';
import { QmpClient } from './qmp.ts';
import { goOn, holdStill, lookAtMachine } from './still.ts';
import { checkRam, keepRam, requireRamSavable, restoreVmRam, saveVmRam } from './vm-ram.ts';
import type { LabContext } from './view.ts';
import { saveVm, vmPid, vmSpec, type VmRecord } from './vms.ts';

/*
 * Where a record says that its VM is suspended, no machine of it counts: the one that saved its state has stopped for good, and one that is being
 * filled from it has not gone on yet. So at every moment either the state or the machine is what the disks fit to, never both.
 */

/** Stops a VM's processors, and leaves it in memory. The caller holds the VM's lock. Throws `vm-not-running`. */
export async function pauseLocked(context: LabContext, vm: VmRecord): Promise<void> {
  const files = await running(context, vm);
  using qmp = await QmpClient.connect(files.qmp);
  await qmp.execute('stop');
}

/**
 * Puts the memory of a running VM into a file and ends its QEMU; returns the record that names it. The caller holds the VM's lock. Throws
 * `ram-unsupported`, `vm-not-running`, `ram-state-unsaved`, and system errors where the disk is full; then the VM runs on.
 */
export async function suspendLocked(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  const { host, home } = context;
  const name = parseName(vm.name, 'a VM');
  requireRamSavable(vm);
  const files = await running(context, vm);
  await using scratch = await makeScratch(host, home, `vm suspend ${name}`);
  await using held = await holdStill(context, vm, { flush: 'no' });
  const saved = await saveVmRam(context, held.vm, scratch.path);
  const { still: _, ...rest } = held.vm;
  const next: VmRecord = { ...rest, suspended: { file: newFileId(host), ...saved } };
  await host.files.makeDirectory(home.frozen, 0o700);
  await using _lock = await lockFrozen(context, `suspending ${name}`);
  await keepRam(context, scratch.path, next.suspended?.file ?? '');
  await saveVm(host, home, next);
  const pid = await vmPid(host, home, name);
  if (pid !== undefined) await endQemu(host, files.pid, pid);
  return next;
}

/**
 * Starts the machine of a suspended VM and lets it go on where it was; returns the record, which is suspended no more. The caller holds the VM's
 * lock. Throws `ram-state-refused`, and what starting throws; then the VM stays suspended.
 */
export async function goOnSuspended(context: LabContext, vm: VmRecord, chosen: Accelerator): Promise<VmRecord> {
  const { host, home, signal } = context;
  const { suspended: ram, ...rest } = vm;
  if (ram === undefined) throw new IngotError('internal', 'vm-not-suspended', `${vm.name} is not suspended`);
  await checkRam(context, vm, ram, chosen);
  await using undo = new AsyncDisposableStack();
  const guest = await startGuest(host, vmSpec(home, vm, chosen), { lifetime: 'detached', signal, incoming: home.frozenRam(ram.file) });
  undo.defer(() => guest.kill());
  await context.events.stage(`Reading the memory of ${vm.name}`, () =>
    restoreVmRam(context, vm, guest, ram, async () => {
      await saveVm(host, home, { ...rest, still: 'processors' });
      // From here on the machine is what counts, and whoever holds the VM next lets it go on.
      undo.move();
    }),
  );
  await saveVm(host, home, rest);
  await sweepFrozen(context);
  await setClock(context, rest);
  return rest;
}

/** Drops the saved memory of a VM: it boots anew. The caller holds the VM's lock. */
export async function discardSuspended(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.suspended === undefined) return vm;
  const { suspended: _, ...rest } = vm;
  await saveVm(context.host, context.home, rest);
  await sweepFrozen(context);
  return rest;
}

/** Ends a machine that does not count, since the record says that the VM is suspended. The caller holds the VM's lock. */
export async function settleSuspended({ host, home }: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.suspended === undefined) return vm;
  const name = parseName(vm.name, 'a VM');
  const pid = await vmPid(host, home, name);
  if (pid !== undefined) await endQemu(host, guestFiles(home.vm(name)).pid, pid);
  return vm;
}

/** Lets a machine that is paused, by whatever, go on. Returns how it was. Throws `still-disk-full` where it stopped again at once, for want of space. */
export async function unpauseLocked(context: LabContext, vm: VmRecord): Promise<'paused' | 'disk-full' | 'running'> {
  const { host } = context;
  const files = await running(context, vm);
  const before = stateOf(await machineStatus(files.qmp, STATUS_SECONDS));
  if (before === 'suspended' || before === 'stopped' || before === 'running') return 'running';
  await goOn(files.qmp);
  if (before === 'disk-full') {
    // What could not be written is tried again at once.
    await host.clock.sleep(RETRY_SECONDS, context.signal);
    if (stateOf(await machineStatus(files.qmp, STATUS_SECONDS)) === 'disk-full') {
      throw new IngotError('space', 'still-disk-full', `${vm.name} has stopped again: the host's disk is still full`, {
        hint: `Free some space where ${context.home.root} is, then resume it again. Nothing that it wrote is lost.`,
      });
    }
  }
  return before;
}

const STATUS_SECONDS = 5;
const RETRY_SECONDS = 0.5;
const CLOCK_SECONDS = 3;

/** The guest's clock has stood still; its agent sets it, where there is one. */
async function setClock({ host, home, signal }: LabContext, vm: VmRecord): Promise<void> {
  const { agent: socket, qmp } = guestFiles(home.vm(parseName(vm.name, 'a VM')));
  try {
    if (!(await lookAtMachine(qmp)).agent) return;
    await withAgent(host, socket, (agent) => agent.execute('guest-set-time', { time: host.clock.now().getTime() * 1_000_000 }, CLOCK_SECONDS), {
      seconds: CLOCK_SECONDS,
      signal,
    });
  } catch (error) {
    // Without an agent the guest finds the time itself, by NTP.
    if (!(error instanceof IngotError)) throw error;
  }
}

async function running({ host, home }: LabContext, vm: VmRecord) {
  const name = parseName(vm.name, 'a VM');
  if ((await vmPid(host, home, name)) !== undefined) return guestFiles(home.vm(name));
  throw notRunning(vm);
}

import { IngotError } from '../../base/errors.ts';
import { isLocked, takeLock } from '../../base/lock.ts';
import { parseName, type HostPath, type Name } from '../../base/types.ts';
import { accelerator } from './accelerator.ts';
import { checkBudget } from './budget.ts';
import { portFor } from './forwards.ts';
import { attachGuest, startGuest, startSavedGuest, type Guest } from './guest.ts';
import { guestFiles, type Accelerator } from './guest-spec.ts';
import { notRunning } from './machine-state.ts';
import { withFreePorts } from './ports.ts';
import { settleVm } from './settle.ts';
import { goOn, lookAtMachine } from './still.ts';
import { discardSuspended, goOnSuspended, unpauseLocked } from './suspend.ts';
import type { LabContext } from './view.ts';
import { loadVm, recordedPorts, saveVm, vmPid, vmSpec, type VmDisk, type VmRecord } from './vms.ts';
import { settleIdentity } from './warm-settle.ts';

/** Holds a VM: one command at a time changes it. Says so where it has to wait. */
export function lockVm(context: LabContext, name: Name, what: string): Promise<AsyncDisposable> {
  return takeLock(context.host, context.home, `vm-${name}`, {
    what,
    signal: context.signal,
    onWait: (owner) =>
      context.events.message('info', `Waiting for ${owner === undefined ? 'another command' : `${owner.what} (process ${owner.pid})`} to be done with ${name}`),
  });
}

/** A VM that this command alone may change. */
export interface HeldVm extends AsyncDisposable {
  readonly vm: VmRecord;
}

/** Locks a VM, reads its record, and mends what a killed command left half done. Throws `vm-unknown`, `vm-damaged`. */
export async function holdVm(context: LabContext, name: Name, what: string): Promise<HeldVm> {
  await using stack = new AsyncDisposableStack();
  stack.use(await lockVm(context, name, what));
  const vm = await settleVm(context, await settleIdentity(context, await loadVm(context.host, context.home, name)));
  const held = stack.move();
  return { vm, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

export interface StartRequest {
  /** Start it although the budget or the host's memory is short. */
  readonly force: boolean;
  /** What was chosen already; else it is looked for. */
  readonly accelerator?: Accelerator;
  /** A suspended VM boots anew instead of going on where it was. */
  readonly discard?: boolean;
  /** A saved state of the same machine, from which it goes on instead of booting; its disks are as they were at that moment. */
  readonly incoming?: HostPath;
  /** The memory that goes with the state, where that is a file of its own, which is not written to. */
  readonly memory?: HostPath;
}

/**
 * Starts a VM that stands, or lets a suspended one go on; its QEMU outlives this process. Does nothing where it runs already. The caller holds
 * the VM's lock. Throws `budget-exceeded`, `memory-short`, `image-gone`, `port-taken`, `qemu-failed`, `firmware-missing`, `ram-state-refused`.
 */
export async function startLocked(context: LabContext, vm: VmRecord, options: StartRequest): Promise<void> {
  const { host, home } = context;
  const name = parseName(vm.name, 'a VM');
  if ((await vmPid(host, home, name)) !== undefined) {
    context.events.message('info', `${name} runs already`);
    return;
  }
  await checkLayers(context, vm);
  const chosen = options.accelerator ?? (await accelerator(context, vm.arch));
  const wanted = options.discard === true ? await discardSuspended(context, vm) : vm;
  await withVmPorts(context, wanted, async (current) => {
    // Here, since one VM at a time is started while a port is being chosen: two together cannot exceed the budget.
    if (!options.force) await checkBudget(context, current);
    const how = { lifetime: 'detached', signal: context.signal } as const;
    if (current.suspended !== undefined) await goOnSuspended(context, current, chosen);
    else if (options.incoming === undefined) await startGuest(host, vmSpec(home, current, chosen), how);
    else {
      const memory = options.memory === undefined ? {} : { memoryFile: { path: options.memory, written: false } };
      await startSavedGuest(host, { ...vmSpec(home, current, chosen), ...memory }, { ...how, incoming: options.incoming });
    }
  });
}

/**
 * Calls `use` with the VM as it is with ports that are free now: those that it has, or others in place of those that ingot chose. Says which, and
 * records it. Throws what {@link withFreePorts} throws.
 */
export async function withVmPorts<T>(context: LabContext, vm: VmRecord, use: (vm: VmRecord) => Promise<T>): Promise<T> {
  const { host, home, signal } = context;
  const wanted = [
    { protocol: 'tcp', address: '127.0.0.1', preferred: vm.ssh.port, fixed: vm.ssh.fixed } as const,
    ...vm.forwards.map((forward) => portFor(forward)),
  ];
  return await withFreePorts(host, home, { recorded: () => recordedPorts(host, home, vm.name), wanted, signal }, async ([ssh = vm.ssh.port, ...ports]) => {
    const moved = [...(ssh === vm.ssh.port ? [] : [[vm.ssh.port, ssh] as const])];
    const forwards = vm.forwards.map((forward, index) => {
      const port = ports[index] ?? forward.host;
      if (port !== forward.host) moved.push([forward.host, port]);
      return { ...forward, host: port };
    });
    const current = { ...vm, ssh: { ...vm.ssh, port: ssh }, forwards };
    if (moved.length > 0) await saveVm(host, home, current);
    for (const [from, to] of moved) context.events.message('info', `Port ${from} is taken by another program: ${vm.name} now has ${to}`);
    return await use(current);
  });
}

/** How a VM came to stand still. */
export type StopResult = 'shut-down' | 'forced' | 'not-running';

/**
 * Stops a VM: the guest is asked to shut down and has `timeout` seconds for it, then it is ended; with `force` at once. The caller
 * holds the VM's lock.
 */
export async function stopLocked(context: LabContext, vm: VmRecord, options: { readonly timeout: number; readonly force: boolean }): Promise<StopResult> {
  const guest = await attach(context, vm);
  if (guest === undefined) return 'not-running';
  if (!options.force) {
    // One that is paused would not hear of it.
    const { qmp } = guestFiles(guest.spec.folder);
    if ((await lookAtMachine(qmp)).paused) await goOn(qmp);
    const stopped = await context.events.stage(`Shutting ${vm.name} down (forced after ${options.timeout} s)`, () =>
      guest.powerdown({ timeout: options.timeout, signal: context.signal }),
    );
    if (stopped) return 'shut-down';
    context.events.message('warn', `${vm.name} did not shut down within ${options.timeout} s: it is ended`);
  }
  await guest.kill();
  return 'forced';
}

/** Stops a VM and starts it again. The caller holds its lock. Throws `vm-suspended`, and what starting throws. */
export async function restartLocked(context: LabContext, vm: VmRecord, options: { readonly timeout: number; readonly force: boolean }): Promise<void> {
  if ((await stopLocked(context, vm, options)) === 'not-running') await requireStopped(context, vm, 'it is not clear what to restart');
  // What it had it can have again.
  await startLocked(context, vm, { force: true });
}

/** Lets a VM go on that is suspended, paused, or stands for want of space; returns how it was. The caller holds its lock. Throws `vm-not-running`. */
export async function resumeLocked(
  context: LabContext,
  vm: VmRecord,
  options: { readonly force: boolean },
): Promise<'suspended' | 'paused' | 'disk-full' | 'running'> {
  if (vm.suspended === undefined) return unpauseLocked(context, vm);
  await startLocked(context, vm, options);
  return 'suspended';
}

/** The running machine of a VM; throws `vm-unknown`, `vm-not-running`, `vm-suspended`. */
export async function requireRunning(context: LabContext, name: Name): Promise<Guest> {
  const vm = await loadVm(context.host, context.home, name);
  if (vm.pendingIdentity === true && !isLocked(context.home, `vm-${name}`)) {
    throw new IngotError('conflict', 'vm-unfinished', `${name} was being made when ingot was killed`, { hint: `\`ingot vm start ${name}\` boots it anew.` });
  }
  const guest = await attach(context, vm);
  if (guest !== undefined) return guest;
  throw notRunning(vm);
}

async function attach(context: LabContext, vm: VmRecord): Promise<Guest | undefined> {
  const { host, home, signal } = context;
  if ((await vmPid(host, home, parseName(vm.name, 'a VM'))) === undefined) return undefined;
  // Without events: which accelerator it is was said when it started.
  return attachGuest(host, vmSpec(home, vm, await accelerator({ host, home, signal }, vm.arch)));
}

/** Makes sure that what the VM, or a snapshot of it, stands on is there: its image in the store, and frozen disks. Throws `image-gone`, `frozen-disk-gone`. */
export async function checkLayers(
  { host, home }: LabContext,
  vm: Pick<VmRecord, 'name' | 'image'> & { readonly disks: readonly Pick<VmDisk, 'frozen'>[] },
): Promise<void> {
  for (const id of vm.disks.flatMap(({ frozen }) => frozen)) {
    if ((await host.files.status(home.frozenDisk(id))) !== undefined) continue;
    throw new IngotError('verification', 'frozen-disk-gone', `A file that ${vm.name}'s disk stands on is gone: ${home.frozenDisk(id)}`, {
      hint: 'Bring it back from a backup, or delete the VM; a snapshot that does not stand on it can be restored.',
    });
  }
  for (const digest of vm.image.layers) {
    if ((await host.files.status(home.blob(digest))) !== undefined) continue;
    throw new IngotError('verification', 'image-gone', `A layer of ${vm.name}'s image ${vm.image.reference} is not in the store any more: ${digest}`, {
      hint: 'Build or load the same image again, or delete the VM.',
    });
  }
}

/** Refuses a VM that runs, or whose memory is kept in a file: what is about to change must not change under it. Throws `vm-running`, `vm-suspended`. */
export async function requireStopped({ host, home }: LabContext, vm: VmRecord, what: string): Promise<void> {
  const name = parseName(vm.name, 'a VM');
  if ((await vmPid(host, home, name)) !== undefined) {
    throw new IngotError('conflict', 'vm-running', `${name} is running, and ${what}`, { hint: `Stop it with \`ingot vm stop ${name}\`.` });
  }
  if (vm.suspended === undefined) return;
  throw new IngotError('conflict', 'vm-suspended', `${name} is suspended, and ${what}`, {
    hint: `Let it go on and stop it (\`ingot vm resume ${name}\`, \`ingot vm stop ${name}\`), or drop its saved memory with \`ingot vm stop ${name} --discard\`.`,
  });
}

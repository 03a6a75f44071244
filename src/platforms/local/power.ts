import { IngotError } from '../../base/errors.ts';
import { takeLock } from '../../base/lock.ts';
import { formatSize, parseName, type Name } from '../../base/types.ts';
import { accelerator } from './accelerator.ts';
import { settleDisks } from './frozen.ts';
import { attachGuest, startGuest, type Guest } from './guest.ts';
import type { Accelerator } from './guest-spec.ts';
import { withFreePort } from './ports.ts';
import { thawForgotten } from './rest.ts';
import type { LabContext } from './view.ts';
import { loadVm, loadVms, recordedPorts, saveVm, vmPid, vmSpec, type VmDisk, type VmRecord } from './vms.ts';

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
  const vm = await settleDisks(context, await loadVm(context.host, context.home, name));
  await thawForgotten(context, vm);
  const held = stack.move();
  return { vm, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/**
 * Starts a VM that stands; its QEMU outlives this process. Does nothing where it runs already. The caller holds the VM's lock. Throws
 * `memory-short`, `image-gone`, `port-taken`, `qemu-failed`, `firmware-missing`.
 */
export async function startLocked(context: LabContext, vm: VmRecord, options: { readonly force: boolean; readonly accelerator?: Accelerator }): Promise<void> {
  const { host, home } = context;
  const name = parseName(vm.name, 'a VM');
  if ((await vmPid(host, home, name)) !== undefined) {
    context.events.message('info', `${name} runs already`);
    return;
  }
  await checkLayers(context, vm);
  if (!options.force) await checkMemory(context, vm);
  const chosen = options.accelerator ?? (await accelerator(context, vm.arch));
  await withFreePort(
    host,
    home,
    { recorded: () => recordedPorts(host, home, name), preferred: vm.ssh.port, fixed: vm.ssh.fixed, signal: context.signal },
    async (port) => {
      const current = { ...vm, ssh: { ...vm.ssh, port } };
      if (port !== vm.ssh.port) {
        await saveVm(host, home, current);
        context.events.message('info', `Port ${vm.ssh.port} is taken by another program: ${name} now has ${port}`);
      }
      await startGuest(host, vmSpec(home, current, chosen), { lifetime: 'detached', signal: context.signal });
    },
  );
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
    const stopped = await context.events.stage(`Shutting ${vm.name} down (forced after ${options.timeout} s)`, () =>
      guest.powerdown({ timeout: options.timeout, signal: context.signal }),
    );
    if (stopped) return 'shut-down';
    context.events.message('warn', `${vm.name} did not shut down within ${options.timeout} s: it is ended`);
  }
  await guest.kill();
  return 'forced';
}

/** The running machine of a VM; throws `vm-unknown`, `vm-not-running`. */
export async function requireRunning(context: LabContext, name: Name): Promise<Guest> {
  const guest = await attach(context, await loadVm(context.host, context.home, name));
  if (guest !== undefined) return guest;
  throw new IngotError('conflict', 'vm-not-running', `${name} does not run`, { hint: `Start it with \`ingot vm start ${name}\`.` });
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

/** Refuses a VM that would drive the host into swapping or killing; what other VMs have not touched yet is not known. */
export async function checkMemory({ host, home }: LabContext, vm: Pick<VmRecord, 'name' | 'memory'>): Promise<void> {
  const free = host.machine.freeMemory();
  if (vm.memory <= free) return;
  const others = await Promise.all(
    (await loadVms(host, home)).map(async (other) => ((await vmPid(host, home, parseName(other.name, 'a VM'))) === undefined ? 0 : other.memory)),
  );
  const running = others.filter((memory) => memory > 0);
  const sum = running.length === 0 ? '' : `; ${running.length} running VMs have ${formatSize(running.reduce((a, b) => a + b, 0))}`;
  throw new IngotError(
    'host',
    'memory-short',
    `${vm.name} needs ${formatSize(vm.memory)} of memory, and ${formatSize(free)} of the host's ${formatSize(host.machine.memory)} are free${sum}`,
    {
      hint: 'Give it less --memory, stop other VMs, or use --force.',
    },
  );
}

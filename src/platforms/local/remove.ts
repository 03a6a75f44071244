import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { makeScratch } from '../../base/scratch.ts';
import type { Name } from '../../base/types.ts';
import { sweepFrozen } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { lockVm } from './power.ts';
import { endQemu, runningQemu } from './qemu-process.ts';
import type { LabContext } from './view.ts';
import { findVm, loadVm, vmUnknown, type VmRecord } from './vms.ts';
import { endMachine } from './warm-settle.ts';

/**
 * Deletes a VM with its disk. With `force` also a running one, which is ended, and a damaged one. Throws `vm-unknown`, `vm-running`, `vm-protected`.
 */
export async function deleteVm(context: LabContext, name: Name, options: { readonly force: boolean }): Promise<void> {
  const { host, home } = context;
  await using _lock = await lockVm(context, name, `vm delete ${name}`);
  const folder = home.vm(name);
  if ((await host.files.status(folder)) === undefined) throw await vmUnknown(host, home, name);
  const vm = options.force ? await readable(context, name) : await loadVm(host, home, name);
  if (vm !== undefined) refuseProtected([vm]);
  const pid = await runningQemu(host, guestFiles(folder).pid);
  if (pid !== undefined) {
    if (!options.force)
      throw new IngotError('conflict', 'vm-running', `${name} is running`, { hint: `Stop it with \`ingot vm stop ${name}\`, or delete it with --force.` });
    await endQemu(host, guestFiles(folder).pid, pid);
  }
  await removeLocked(context, name);
}

/** Refuses to delete VMs of which some are protected. Throws `vm-protected` with all of their names. */
export function refuseProtected(vms: readonly Pick<VmRecord, 'name' | 'protected'>[]): void {
  const names = vms.filter((vm) => vm.protected).map(({ name }) => name);
  if (names.length === 0) return;
  throw new IngotError('conflict', 'vm-protected', `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} protected`, {
    hint: `Take the protection away with ${names.map((name) => `\`ingot vm protect ${name} --off\``).join(', ')} first.`,
  });
}

/** The record of a VM that is deleted in any case: undefined where it is damaged. */
async function readable({ host, home }: LabContext, name: Name): Promise<VmRecord | undefined> {
  try {
    return await findVm(host, home, name);
  } catch (error) {
    if (error instanceof IngotError && error.code === 'vm-damaged') return undefined;
    throw error;
  }
}

/** Takes a VM's folder out of sight in one step, then removes it, with the frozen disks that only it stood on. The caller holds the VM's lock, and it does not run. */
export async function removeLocked(context: LabContext, name: Name): Promise<void> {
  const { host, home } = context;
  await using scratch = await makeScratch(host, home, `vm delete ${name}`);
  await host.files.rename(home.vm(name), join(scratch.path, 'vm'));
  await host.files.sync(home.vms);
  await sweepFrozen(context);
}

/** Removes a VM that a killed ingot left without an identity of its own, so that its name is free. The caller holds the VM's lock. */
export async function removeUnfinished(context: LabContext, name: Name): Promise<void> {
  const vm = await findVm(context.host, context.home, name).catch(() => undefined);
  if (vm?.pendingIdentity === undefined) return;
  await endMachine(context, name);
  await removeLocked(context, name);
}

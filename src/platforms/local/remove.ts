import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import { makeScratch } from '../../base/scratch.ts';
import type { Name } from '../../base/types.ts';
import { sweepFrozen } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { lockVm } from './power.ts';
import { endQemu, runningQemu } from './qemu-process.ts';
import type { LabContext } from './view.ts';
import { loadVm, vmUnknown } from './vms.ts';

/**
 * Deletes a VM with its disk. With `force` also a running one, which is ended, and a damaged one. Throws `vm-unknown`, `vm-running`.
 */
export async function deleteVm(context: LabContext, name: Name, options: { readonly force: boolean }): Promise<void> {
  const { host, home } = context;
  await using _lock = await lockVm(context, name, `vm delete ${name}`);
  const folder = home.vm(name);
  if ((await host.files.status(folder)) === undefined) throw await vmUnknown(host, home, name);
  if (!options.force) await loadVm(host, home, name);
  const pid = await runningQemu(host, guestFiles(folder).pid);
  if (pid !== undefined) {
    if (!options.force)
      throw new IngotError('conflict', 'vm-running', `${name} is running`, { hint: `Stop it with \`ingot vm stop ${name}\`, or delete it with --force.` });
    await endQemu(host, guestFiles(folder).pid, pid);
  }
  await removeLocked(context, name);
}

/** Takes a VM's folder out of sight in one step, then removes it, with the frozen disks that only it stood on. The caller holds the VM's lock, and it does not run. */
export async function removeLocked(context: LabContext, name: Name): Promise<void> {
  const { host, home } = context;
  await using scratch = await makeScratch(host, home, `vm delete ${name}`);
  await host.files.rename(home.vm(name), join(scratch.path, 'vm'));
  await host.files.sync(home.vms);
  await sweepFrozen(context);
}

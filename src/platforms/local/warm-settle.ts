import { parseName, type Name } from '../../base/types.ts';
import { sweepVmFolder, newFileId } from './frozen.ts';
import { guestFiles } from './guest-spec.ts';
import { makeOverlay } from './overlay.ts';
import { endQemu, runningQemu } from './qemu-process.ts';
import type { LabContext } from './view.ts';
import { activePath, diskChain, ROOT_DISK, saveVm, type VmDisk, type VmRecord } from './vms.ts';

/**
 * Finishes a VM whose maker was killed after its machine went on from a saved one and before it had an identity: the machine is ended, and
 * the disk is a new one of the image, so that it boots as any other does. The caller holds the VM's lock.
 */
export async function settleIdentity(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  if (vm.pendingIdentity === undefined) return vm;
  const { host, home } = context;
  const { pendingIdentity: _, ...rest } = vm;
  const folder = home.vm(parseName(vm.name, 'a VM'));
  await endMachine(context, parseName(vm.name, 'a VM'));
  await host.files.remove(guestFiles(folder).efiVariables);
  const disks: VmDisk[] = [];
  for (const disk of vm.disks) {
    const fresh = { ...disk, frozen: [], active: newFileId(host) };
    const below = diskChain(home, vm, fresh).at(-1);
    if (disk.name !== ROOT_DISK || below === undefined) disks.push(disk);
    else {
      await makeOverlay(host, activePath(folder, fresh.active), below, disk.size);
      disks.push(fresh);
    }
  }
  const settled = { ...rest, disks };
  await saveVm(host, home, settled);
  await sweepVmFolder(host, home, settled);
  context.events.message('warn', `${vm.name} was being made when ingot was killed: it boots from its image`);
  return settled;
}

/** Ends a VM's machine, where it runs. */
export async function endMachine({ host, home }: LabContext, name: Name): Promise<void> {
  const { pid: pidFile } = guestFiles(home.vm(name));
  const pid = await runningQemu(host, pidFile);
  if (pid !== undefined) await endQemu(host, pidFile, pid);
}

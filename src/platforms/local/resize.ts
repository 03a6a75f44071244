import { IngotError } from '../../base/errors.ts';
import { formatSize, parseName, type HostPath } from '../../base/types.ts';
import { withAgent } from './agent.ts';
import { guestFiles } from './guest-spec.ts';
import { checkDiskSize } from './overlay.ts';
import { requireStopped } from './power.ts';
import { writableNode } from './qemu-arguments.ts';
import { QmpClient } from './qmp.ts';
import { lookAtMachine } from './still.ts';
import type { LabContext } from './view.ts';
import { guestDisk, rootDisk, saveVm, vmPid, type VmRecord } from './vms.ts';

/** What changes; undefined stays. */
export interface ResizeRequest {
  readonly cpus: number | undefined;
  /** Bytes. */
  readonly memory: number | undefined;
  /** Bytes of the disk that it boots from. */
  readonly disk: number | undefined;
}

/** How the guest comes to know of a larger disk. */
export type Growth = 'none' | 'at-boot' | 'at-once';

/**
 * Changes processors and memory of a stopped VM, and lets its disk grow, of a running one too. The caller holds the VM's lock. Throws
 * `disk-shrinks`, `vm-running`, `vm-suspended`, and QEMU's words where it refuses.
 */
export async function resizeLocked(context: LabContext, vm: VmRecord, request: ResizeRequest): Promise<{ readonly vm: VmRecord; readonly growth: Growth }> {
  const { host, home } = context;
  const name = parseName(vm.name, 'a VM');
  const root = rootDisk(vm);
  const { cpus = vm.cpus, memory = vm.memory, disk = root.size } = request;
  if (cpus !== vm.cpus || memory !== vm.memory) await requireStopped(context, vm, 'its processors and memory can only change while it is off');
  const size = Math.ceil(disk / 512) * 512;
  if (size < root.size) {
    throw new IngotError('usage', 'disk-shrinks', `The disk of ${name} has ${formatSize(root.size)}, and can only grow`, {
      hint: 'A smaller one would cut off what lies at its end. Make a new VM with a smaller --disk, and copy what you need.',
    });
  }
  checkDiskSize(size, root.size);
  const runs = (await vmPid(host, home, name)) !== undefined;
  if (size > root.size && !runs) await requireStopped(context, vm, 'its saved memory knows a disk of the old size');
  const next: VmRecord = { ...vm, cpus, memory, disks: vm.disks.map((one) => (one === root ? { ...one, size } : one)) };
  // The record comes first: a disk that is smaller than it says grows when it is resized again, one that is larger would be in the way of its next overlay.
  await saveVm(host, home, next);
  if (request.disk === undefined) return { vm: next, growth: 'none' };
  const { file } = guestDisk(home, next, root);
  try {
    if (runs) {
      using qmp = await QmpClient.connect(guestFiles(home.vm(name)).qmp);
      await qmp.execute('block_resize', { 'node-name': writableNode({ name: root.name, file }, false)['node-name'], size });
    } else await growFile(context, file, size);
  } catch (error) {
    await saveVm(host, home, vm);
    throw error;
  }
  if (size === root.size) return { vm: next, growth: 'none' };
  return { vm: next, growth: runs && (await growInside(context, next)) ? 'at-once' : 'at-boot' };
}

async function growFile({ host }: LabContext, file: HostPath, size: number): Promise<void> {
  // Nothing below is opened, and no name in a header followed.
  const graph = { driver: 'qcow2', file: { driver: 'file', filename: file }, backing: null };
  await host.processes.run(['qemu-img', 'resize', '-q', `json:${JSON.stringify(graph)}`, String(size)]);
  await host.files.sync(file);
}

/** What cloud-init does at every boot, done now. */
const GROW = 'cloud-init single --name growpart --frequency always && cloud-init single --name resizefs --frequency always';
const GROW_SECONDS = 120;

/** Lets a running guest take the room, through its agent; false where that is not possible. */
async function growInside(context: LabContext, vm: VmRecord): Promise<boolean> {
  const { host, home, signal, events } = context;
  const { qmp, agent: socket } = guestFiles(home.vm(parseName(vm.name, 'a VM')));
  if (!(await lookAtMachine(qmp)).agent) return false;
  try {
    const { exitCode } = await events.stage(`Growing the root filesystem of ${vm.name}`, () =>
      withAgent(host, socket, (agent) => agent.run(['/bin/sh', '-c', GROW], { timeout: GROW_SECONDS }), { signal }),
    );
    return exitCode === 0;
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    return false;
  }
}

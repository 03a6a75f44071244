import * as z from 'zod';
import type { Context } from '../../operations/operation.ts';
import { architectureSchema, firmwareSchema } from './guest-spec.ts';
import { vmState, vmStateSchema } from './machine-state.ts';
import { forwardSchema, shareSchema } from './vm-record.ts';
import { rootDisk, type VmRecord } from './vms.ts';

/** What the lab's functions need of an operation's context. */
export type LabContext = Pick<Context, 'host' | 'home' | 'settings' | 'events' | 'signal'>;

/** A VM as it is shown: its record, and how it is. */
export const vmViewSchema = z.object({
  name: z.string(),
  state: vmStateSchema,
  /** Process of its QEMU, while it runs. */
  pid: z.int().optional(),
  image: z.object({ reference: z.string(), digest: z.string() }),
  arch: architectureSchema,
  firmware: firmwareSchema,
  cpus: z.int(),
  memory: z.int().describe('Bytes'),
  disk: z.int().describe('Bytes'),
  /** Those besides the root. */
  extraDisks: z.array(z.object({ name: z.string(), size: z.int().describe('Bytes') })),
  ssh: z.object({ user: z.string(), port: z.int(), password: z.boolean().describe('A password lets one in, too') }),
  forwards: z.array(forwardSchema),
  shares: z.array(shareSchema),
  tpm: z.boolean(),
  protected: z.boolean(),
  autostart: z.boolean(),
  snapshots: z.int().describe('How many it has'),
  created: z.iso.datetime(),
});
export type VmView = z.output<typeof vmViewSchema>;

/** Looks how the VM is, and puts that with its record. */
export async function viewVm(context: Pick<LabContext, 'host' | 'home'>, vm: VmRecord): Promise<VmView> {
  return viewOf(vm, await vmState(context, vm));
}

/** What is shown of a VM that is in this state. Pure. */
export function viewOf(vm: VmRecord, { state, pid }: Pick<Awaited<ReturnType<typeof vmState>>, 'state' | 'pid'>): VmView {
  const { name, arch, firmware, cpus, memory, autostart, created } = vm;
  return {
    name,
    state,
    ...(pid === undefined ? {} : { pid }),
    image: { reference: vm.image.reference, digest: vm.image.digest },
    arch,
    firmware,
    cpus,
    memory,
    disk: rootDisk(vm).size,
    extraDisks: vm.disks.slice(1).map((disk) => ({ name: disk.name, size: disk.size })),
    ssh: { user: vm.ssh.user, port: vm.ssh.port, password: vm.passwordLogin === true },
    forwards: vm.forwards,
    shares: vm.shares ?? [],
    tpm: vm.tpm === true,
    protected: vm.protected,
    autostart,
    snapshots: vm.snapshots.length,
    created,
  };
}

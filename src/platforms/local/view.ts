import * as z from 'zod';
import type { Context } from '../../operations/operation.ts';
import { parseName } from '../../base/types.ts';
import { architectureSchema, firmwareSchema } from './guest-spec.ts';
import { rootDisk, vmPid, type VmRecord } from './vms.ts';

/** What the lab's functions need of an operation's context. */
export type LabContext = Pick<Context, 'host' | 'home' | 'events' | 'signal'>;

/** A VM as it is shown: its record, and whether it runs. */
export const vmViewSchema = z.object({
  name: z.string(),
  state: z.enum(['running', 'stopped']),
  /** Process of its QEMU, while it runs. */
  pid: z.int().optional(),
  image: z.object({ reference: z.string(), digest: z.string() }),
  arch: architectureSchema,
  firmware: firmwareSchema,
  cpus: z.int(),
  memory: z.int().describe('Bytes'),
  disk: z.int().describe('Bytes'),
  ssh: z.object({ user: z.string(), port: z.int() }),
  created: z.iso.datetime(),
});
export type VmView = z.output<typeof vmViewSchema>;

/** Looks whether the VM runs, and puts that with its record. */
export async function viewVm(context: Pick<LabContext, 'host' | 'home'>, vm: VmRecord): Promise<VmView> {
  const pid = await vmPid(context.host, context.home, parseName(vm.name, 'a VM'));
  const { name, arch, firmware, cpus, memory, created } = vm;
  return {
    name,
    state: pid === undefined ? 'stopped' : 'running',
    ...(pid === undefined ? {} : { pid }),
    image: { reference: vm.image.reference, digest: vm.image.digest },
    arch,
    firmware,
    cpus,
    memory,
    disk: rootDisk(vm).size,
    ssh: { user: vm.ssh.user, port: vm.ssh.port },
    created,
  };
}

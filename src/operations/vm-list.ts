import * as z from 'zod';
import { alignColumns } from '../base/columns.ts';
import { formatSize } from '../base/types.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { loadVms } from '../platforms/local/vms.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput } from './vm-input.ts';
import { remoteVmsTable } from './vm-on-text.ts';

export default defineOperation({
  name: 'vm list',
  summary: 'List the virtual machines',
  kind: 'query',
  input: z.object({
    on: onInput.describe('The target whose VMs are listed, PLATFORM:NAME; default: this host'),
    all: z.boolean().default(false).describe('With --on, those too that ingot did not make'),
  }),
  output: z.union([z.array(vmViewSchema), z.array(remoteVmSchema)]),
  examples: [
    { command: 'ingot vm list', does: 'shows every VM and how it is: running, paused, suspended, stopped, or paused with the disk full' },
    { command: 'ingot vm list --on proxmox:home', does: 'shows the VMs that ingot made on a target' },
    { command: 'ingot vm list --json', does: 'the same for programs' },
  ],
  async run({ on, all }, context) {
    if (isRemote(on)) {
      const { onTarget } = await import('./vm-on.ts');
      return await onTarget(context, on, `Looking at ${on}`, (vms) => vms.list({ all }));
    }
    return Promise.all((await loadVms(context.host, context.home)).map((vm) => viewVm(context, vm)));
  },
  render(vms) {
    if (vms.length === 0) return 'There is no VM yet. `ingot vm create NAME` makes one.';
    const remote = vms.filter((vm) => 'on' in vm);
    if (remote.length > 0) return remoteVmsTable(remote);
    const rows = vms
      .filter((vm) => 'image' in vm)
      .map((vm) => [
        vm.name,
        vm.state,
        vm.image.reference,
        String(vm.cpus),
        formatSize(vm.memory),
        formatSize(vm.disk),
        `${vm.ssh.user}@127.0.0.1:${vm.ssh.port}`,
      ]);
    return alignColumns([['NAME', 'STATE', 'IMAGE', 'CPUS', 'MEMORY', 'DISK', 'SSH'], ...rows]);
  },
});

import * as z from 'zod';
import { alignColumns } from '../base/columns.ts';
import { formatSize } from '../base/types.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { loadVms } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'vm list',
  summary: 'List the virtual machines',
  kind: 'query',
  input: z.object({}),
  output: z.array(vmViewSchema),
  examples: [
    { command: 'ingot vm list', does: 'shows every VM and how it is: running, paused, suspended, stopped, or paused with the disk full' },
    { command: 'ingot vm list --json', does: 'the same for programs' },
  ],
  async run(_input, context) {
    return Promise.all((await loadVms(context.host, context.home)).map((vm) => viewVm(context, vm)));
  },
  render(vms) {
    if (vms.length === 0) return 'There is no VM yet. `ingot vm create NAME` makes one.';
    const rows = vms.map((vm) => [
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

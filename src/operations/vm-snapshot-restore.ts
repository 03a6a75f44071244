import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { restoreSnapshot } from '../platforms/local/snapshot-restore.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, snapshotNameInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm snapshot restore',
  summary: 'Put a virtual machine back to a snapshot',
  description:
    'Disks, UEFI variables, processors and memory are as they were. What was written since is lost; make a snapshot before, if you want to come back to it. With a memory it goes on at that moment, else it stays off.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    on: onInput,
    snapshot: snapshotNameInput,
    start: z.boolean().optional().describe('Start it afterwards; default: where the snapshot has a memory'),
    force: z.boolean().default(false).describe('Also where it is running or suspended: that is ended first'),
  }),
  output: z.union([vmViewSchema, remoteVmSchema]),
  examples: [
    { command: 'ingot vm snapshot restore web before-update', does: 'puts the VM web back' },
    { command: 'ingot vm snapshot restore web before-update --force --start', does: 'ends it first, and starts it afterwards' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      return await onVm(context, { on: input.on, name: input.name }, 'Restoring', async (vms, vm, span) => {
        if (input.force) await vms.stop(vm, { timeout: 0, force: true }, span);
        await vms.restore(vm, input.snapshot, span);
        if (input.start === true) await vms.start(vm, span);
        return await vms.find(vm.id);
      });
    }
    const name = parseName(input.name, 'a VM');
    return viewVm(context, await restoreSnapshot(context, name, { snapshot: input.snapshot, force: input.force, start: input.start }));
  },
  render: (vm) =>
    vm.state === 'running'
      ? `${vm.name} is restored, and runs.`
      : `${vm.name} is restored. \`ingot vm start ${vm.name}${'on' in vm ? ` --on ${vm.on}` : ''}\` ${vm.state === 'suspended' ? 'lets it go on' : 'boots it'}.`,
});

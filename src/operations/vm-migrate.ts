import * as z from 'zod';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { onInput, vmNameInput } from './vm-input.ts';
import { onVm } from './vm-on.ts';

export default defineOperation({
  name: 'vm migrate',
  summary: 'Move a virtual machine to another node of its target',
  description: 'Running or not. Disks that the other node does not see are moved along, which takes as long as copying them.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    place: z.string().min(1).describe('The node that it goes to').meta({ positional: true }),
    on: onInput.unwrap().describe('The target that it is on, PLATFORM:NAME').meta({ placeholder: 'TARGET', complete: 'target' }),
  }),
  output: remoteVmSchema,
  examples: [{ command: 'ingot vm migrate web pve2 --on proxmox:home', does: 'moves the VM web to the node pve2' }],
  async run({ name, place, on }, context) {
    return await onVm(context, { on, name }, 'Moving', async (vms, vm, span) => {
      await vms.migrate(vm, place, span);
      return await vms.find(vm.id);
    });
  },
  render: (vm) => `${vm.name} is on ${vm.place}.`,
});

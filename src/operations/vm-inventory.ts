import * as z from 'zod';
import { chosenVms } from '../platforms/local/chosen.ts';
import { ansibleInventory, inventorySchema } from '../platforms/local/inventory.ts';
import { viewVm } from '../platforms/local/view.ts';
import { sshAccess } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNamesInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm inventory',
  summary: 'Print the virtual machines as an inventory of Ansible',
  description: 'JSON, which Ansible reads as a static inventory. Groups: image_NAME of an image, state_running and state_stopped.',
  kind: 'query',
  input: z.object({
    names: vmNamesInput,
    ansible: z.boolean().default(false).describe("In Ansible's form, as without it: there is no other yet"),
  }),
  output: inventorySchema,
  examples: [
    { command: 'ingot vm inventory --ansible > inventory.json && ansible -i inventory.json state_running -m ping', does: 'pings every VM that runs' },
    { command: 'ingot vm inventory web db', does: 'prints an inventory of two VMs' },
  ],
  async run(input, context) {
    const vms = await chosenVms(context, input.names);
    return ansibleInventory(await Promise.all(vms.map(async (vm) => ({ vm: await viewVm(context, vm), access: sshAccess(context.home, vm) }))));
  },
});

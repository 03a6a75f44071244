import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { holdVm, startLocked } from '../platforms/local/power.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm start',
  summary: 'Start a virtual machine',
  description: 'It goes on running when ingot has ended. Nothing happens where it runs already.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    force: z.boolean().default(false).describe('Start it although memory is short'),
  }),
  output: vmViewSchema,
  examples: [{ command: 'ingot vm start web', does: 'starts the VM web' }],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    await using held = await holdVm(context, name, `vm start ${name}`);
    await startLocked(context, held.vm, { force: input.force });
    return viewVm(context, await loadVm(context.host, context.home, name));
  },
  render: (vm) => `${vm.name} is running. \`ingot vm ssh ${vm.name}\` logs in as soon as it can.`,
});

import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { renameVm } from '../platforms/local/rename.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm rename',
  summary: 'Give a virtual machine another name',
  description: 'It has to be off. Its hostname is the new name from its next start on; everything else stays: disks, snapshots, address, port, host keys.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    to: z.string().min(1).describe('The new name').meta({ positional: true }),
  }),
  output: z.object({ name: z.string(), was: z.string() }),
  examples: [{ command: 'ingot vm rename web www', does: 'calls the VM web www' }],
  async run(input, context) {
    const [from, to] = [parseName(input.name, 'a VM'), parseName(input.to, 'a VM')];
    await renameVm(context, from, to);
    return { name: to, was: from };
  },
  render: ({ name, was }) => `${was} is called ${name} now.`,
});

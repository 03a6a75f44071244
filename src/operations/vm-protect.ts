import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { holdVm } from '../platforms/local/power.ts';
import { saveVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm protect',
  summary: 'Protect a virtual machine from being deleted',
  kind: 'job',
  input: z.object({ name: vmNameInput, off: z.boolean().default(false).describe('Take the protection away') }),
  output: z.object({ name: z.string(), protected: z.boolean() }),
  examples: [
    { command: 'ingot vm protect db', does: 'makes `vm delete db` an error, with --force too' },
    { command: 'ingot vm protect db --off', does: 'lets it be deleted again' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    await using held = await holdVm(context, name, `vm protect ${name}`);
    await saveVm(context.host, context.home, { ...held.vm, protected: !input.off });
    return { name, protected: !input.off };
  },
  render: (vm) => (vm.protected ? `${vm.name} is protected.` : `${vm.name} can be deleted.`),
});

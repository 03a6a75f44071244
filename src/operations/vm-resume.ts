import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { holdVm, resumeLocked } from '../platforms/local/power.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm resume',
  summary: 'Let a suspended or paused virtual machine go on',
  description: "Also one that stands since the host's disk was full: free some space first.",
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    force: z.boolean().default(false).describe('Start it although the budget or the memory is short'),
  }),
  output: vmViewSchema.extend({ was: z.enum(['suspended', 'paused', 'disk-full', 'running']) }),
  examples: [{ command: 'ingot vm resume web', does: 'lets the VM web go on where it was' }],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    await using held = await holdVm(context, name, `vm resume ${name}`);
    const was = await resumeLocked(context, held.vm, input);
    return { ...(await viewVm(context, await loadVm(context.host, context.home, name))), was };
  },
  render: ({ name, was }) => (was === 'running' ? `${name} was running.` : `${name} goes on; it was ${was}.`),
});

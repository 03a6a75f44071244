import * as z from 'zod';
import { formatSize, parseName } from '../base/types.ts';
import { holdVm } from '../platforms/local/power.ts';
import { pauseLocked, suspendLocked } from '../platforms/local/suspend.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm suspend',
  summary: 'Put a virtual machine aside with all that it does',
  description:
    'Its memory goes into a file, and its process ends: it takes neither memory nor processors, and a restart of the host does not hurt it. `vm resume` or `vm start` lets it go on where it was. With --pause it only stands still, in memory.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    pause: z.boolean().default(false).describe('Only stop its processors; its memory stays where it is'),
  }),
  output: z.object({ name: z.string(), state: z.enum(['paused', 'suspended']), bytes: z.number().describe('Of the file that holds its memory') }),
  examples: [
    { command: 'ingot vm suspend web', does: 'writes the memory of the VM web to a file and ends it' },
    { command: 'ingot vm suspend web --pause', does: 'stops its processors for now' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    await using held = await holdVm(context, name, `vm suspend ${name}`);
    if (!input.pause) return { name, state: 'suspended' as const, bytes: (await suspendLocked(context, held.vm)).suspended?.bytes ?? 0 };
    await pauseLocked(context, held.vm);
    return { name, state: 'paused' as const, bytes: 0 };
  },
  render: ({ name, state, bytes }) =>
    `${name} is ${state}${state === 'suspended' ? `: ${formatSize(bytes)} are written` : ''}. \`ingot vm resume ${name}\` lets it go on.`,
});

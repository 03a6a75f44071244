import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { setAutostart } from '../platforms/local/autostart.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm autostart',
  summary: 'Start a virtual machine with the host',
  description:
    'A systemd unit starts all such VMs with the host and shuts them down with it: one of the system for root, else one of the user. Where systemd does not run, it is told what to call.',
  kind: 'job',
  input: z.object({ name: vmNameInput, off: z.boolean().default(false).describe('No longer start it with the host') }),
  output: z.object({ name: z.string(), autostart: z.boolean(), installed: z.boolean(), unit: z.string().optional(), hint: z.string().optional() }),
  examples: [
    { command: 'ingot vm autostart web', does: 'starts the VM web with the host from now on' },
    { command: 'ingot vm autostart web --off', does: 'no longer does' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    const result = await setAutostart(context, name, !input.off);
    return { name, autostart: !input.off, ...result };
  },
  render: ({ name, autostart, unit, hint }) =>
    [
      autostart
        ? `${name} starts with the host${unit === undefined ? ' once something calls ingot there' : ` (${unit})`}.`
        : `${name} does not start with the host.`,
      ...(hint === undefined ? [] : [hint]),
    ].join('\n'),
});

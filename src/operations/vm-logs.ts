import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { followLog } from '../platforms/local/follow.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { loadVm, vmPid } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm logs',
  summary: 'Show what a virtual machine wrote to its console',
  description: "What the serial console got since the machine's last start, as plain text.",
  kind: 'stream',
  input: z.object({
    name: vmNameInput,
    follow: z.boolean().default(false).describe('Go on with what is added, until it stops').meta({ short: 'f' }),
    lines: z.int().min(0).optional().describe('Only so many of the last lines to begin with').meta({ short: 'n', placeholder: 'COUNT' }),
  }),
  output: z.object({}),
  examples: [
    { command: 'ingot vm logs web', does: 'shows the whole console log' },
    { command: 'ingot vm logs web --lines 20 --follow', does: 'shows its end and what is added' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    const { host, home, signal } = context;
    await loadVm(host, home, name);
    const goOn = input.follow ? { goOn: async () => (await vmPid(host, home, name)) !== undefined } : {};
    await followLog(host, guestFiles(home.vm(name)).console, { lines: input.lines, signal, ...goOn }, (text) => context.write(text));
    return {};
  },
  render: () => '',
});

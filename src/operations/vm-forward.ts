import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { parseName } from '../base/types.ts';
import { addForwards, removeForwards } from '../platforms/local/forward-change.ts';
import { describeForward, parseForward } from '../platforms/local/forwards.ts';
import { forwardSchema } from '../platforms/local/vm-record.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { parsedInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm forward',
  summary: 'Lead ports of this host to a virtual machine, or show which do',
  description:
    'A running machine has them at once. HOST:GUEST names both ports, GUEST alone takes a free one of this host; udp: before it is for UDP. Only this host can use them, unless an address is named: 0.0.0.0:8080:80.',
  kind: 'query',
  input: z.object({
    name: vmNameInput,
    action: z.enum(['list', 'add', 'remove']).describe('What to do').meta({ positional: true }),
    forward: z.array(parsedInput(parseForward)).default([]).describe('HOST:GUEST or GUEST; to remove one, either port').meta({ positional: true }),
  }),
  output: z.object({ name: z.string(), forwards: z.array(forwardSchema) }),
  examples: [
    { command: 'ingot vm forward web add 8080:80', does: 'port 8080 of this host now leads to port 80 of the VM web' },
    { command: 'ingot vm forward web add udp:5300:53 0.0.0.0:8443:443', does: 'one for UDP, and one that other hosts can use' },
    { command: 'ingot vm forward web remove 8080', does: 'takes it away' },
    { command: 'ingot vm forward web list', does: 'shows them' },
  ],
  async run({ name: text, action, forward }, context) {
    const name = parseName(text, 'a VM');
    if (action === 'list') return { name, forwards: (await loadVm(context.host, context.home, name)).forwards };
    if (forward.length === 0)
      throw new IngotError('usage', 'forward-missing', `Which forward to ${action} is not said`, {
        hint: `Such as: ingot vm forward ${name} ${action} 8080:80`,
      });
    const forwards = await (action === 'add' ? addForwards : removeForwards)(context, name, forward);
    return { name, forwards: [...forwards] };
  },
  render: ({ name, forwards }) => (forwards.length === 0 ? `No port leads to ${name} but that of SSH.` : forwards.map(describeForward).join('\n')),
});

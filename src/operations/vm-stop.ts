import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { holdVm, stopLocked } from '../platforms/local/power.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

const SENTENCES = { 'shut-down': 'has shut down', forced: 'was ended by force', 'not-running': 'was not running' } as const;

export default defineOperation({
  name: 'vm stop',
  summary: 'Shut a virtual machine down',
  description:
    'The guest is asked to shut down (power button and guest agent). Where it has not after the timeout, it is ended by force, as by pulling the plug.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    timeout: z.number().positive().max(86_400).default(90).describe('Seconds until it is ended by force').meta({ placeholder: 'SECONDS' }),
    force: z.boolean().default(false).describe('End it by force at once'),
  }),
  output: z.object({ name: z.string(), result: z.enum(['shut-down', 'forced', 'not-running']), seconds: z.number() }),
  examples: [
    { command: 'ingot vm stop web', does: 'shuts the VM web down' },
    { command: 'ingot vm stop web --timeout 300', does: 'gives it five minutes for that' },
    { command: 'ingot vm stop web --force', does: 'pulls the plug' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    const { clock } = context.host;
    await using held = await holdVm(context, name, `vm stop ${name}`);
    const start = clock.monotonic();
    const result = await stopLocked(context, held.vm, input);
    return { name, result, seconds: (clock.monotonic() - start) / 1000 };
  },
  render: ({ name, result }) => `${name} ${SENTENCES[result]}.`,
});

import * as z from 'zod';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

const SENTENCES = { 'shut-down': 'has shut down', forced: 'was ended by force', 'not-running': 'was not running' } as const;

export default defineOperation({
  name: 'ct stop',
  summary: 'Shut a container down',
  kind: 'job',
  input: z.object({
    name: containerInput,
    on: onInput,
    timeout: z.number().positive().max(86_400).default(90).describe('Seconds until it is ended by force').meta({ placeholder: 'SECONDS' }),
    force: z.boolean().default(false).describe('End it by force at once'),
  }),
  output: z.object({ name: z.string(), result: z.enum(['shut-down', 'forced', 'not-running']) }),
  examples: [{ command: 'ingot ct stop web --on proxmox:home', does: 'shuts the container web down' }],
  async run(input, context) {
    const result = await onContainer(context, input, 'Stopping', (containers, container, span) => containers.stop(container, input, span));
    return { name: input.name, result };
  },
  render: ({ name, result }) => `${name} ${SENTENCES[result]}.`,
});

import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct clone',
  summary: 'Make a container that begins as a copy of another',
  kind: 'job',
  input: z.object({
    source: z.string().min(1).describe('The container to begin with').meta({ positional: true }),
    target: z.string().min(1).describe("The new container's name, which is its hostname too").meta({ positional: true }),
    on: onInput,
    place: z.string().min(1).optional().describe('The node that it goes to; default: that of the source').meta({ placeholder: 'NODE' }),
    start: z.boolean().default(true).describe('Start it at once'),
  }),
  output: remoteVmSchema,
  examples: [{ command: 'ingot ct clone web web-2 --on proxmox:home', does: 'makes and starts web-2, a copy of web' }],
  async run(input, context) {
    const name = parseName(input.target, 'a container');
    const { on, place, start } = input;
    return await onContainer(context, { on, name: input.source }, 'Cloning', (containers, container, span) =>
      containers.clone(container, { name, place, start }, span),
    );
  },
  render: ({ name, on, state }) => `${name} is ${state === 'running' ? 'running' : 'made'} on ${on}.`,
});

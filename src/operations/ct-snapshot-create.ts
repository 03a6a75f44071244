import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct snapshot create',
  summary: 'Make a snapshot of a container',
  kind: 'job',
  input: z.object({
    name: containerInput,
    snapshot: z.string().min(1).describe("The snapshot's name").meta({ positional: true }),
    on: onInput,
    description: z.string().max(500).optional().describe('What it is for').meta({ placeholder: 'TEXT' }),
  }),
  output: z.object({ name: z.string(), snapshot: z.string() }),
  examples: [{ command: 'ingot ct snapshot create web before-update --on proxmox:home', does: 'makes a snapshot of the container web' }],
  async run(input, context) {
    const name = parseName(input.snapshot, 'a snapshot');
    await onContainer(context, input, 'Snapshot of', (containers, container, span) =>
      containers.snapshot(container, { name, description: input.description, memory: false }, span),
    );
    return { name: input.name, snapshot: name };
  },
  render: ({ name, snapshot }) => `${name} has the snapshot ${snapshot}.`,
});

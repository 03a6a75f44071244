import * as z from 'zod';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct snapshot restore',
  summary: 'Put a container back to a snapshot',
  kind: 'job',
  input: z.object({ name: containerInput, snapshot: z.string().min(1).describe("The snapshot's name").meta({ positional: true }), on: onInput }),
  output: z.object({ name: z.string(), snapshot: z.string() }),
  examples: [{ command: 'ingot ct snapshot restore web before-update --on proxmox:home', does: 'puts the container web back' }],
  async run(input, context) {
    await onContainer(context, input, 'Restoring', (containers, container, span) => containers.restore(container, input.snapshot, span));
    return { name: input.name, snapshot: input.snapshot };
  },
  render: ({ name, snapshot }) => `${name} is back at ${snapshot}.`,
});

import * as z from 'zod';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct snapshot delete',
  summary: 'Delete a snapshot of a container',
  kind: 'job',
  input: z.object({ name: containerInput, snapshot: z.string().min(1).describe("The snapshot's name").meta({ positional: true }), on: onInput }),
  output: z.object({ name: z.string(), snapshot: z.string() }),
  examples: [{ command: 'ingot ct snapshot delete web before-update --on proxmox:home', does: 'deletes a snapshot of the container web' }],
  async run(input, context) {
    await onContainer(context, input, 'Deleting a snapshot of', (containers, container, span) => containers.deleteSnapshot(container, input.snapshot, span));
    return { name: input.name, snapshot: input.snapshot };
  },
  render: ({ name, snapshot }) => `${name} has no snapshot ${snapshot} any more.`,
});

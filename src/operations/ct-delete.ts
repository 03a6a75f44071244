import * as z from 'zod';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct delete',
  summary: 'Delete a container with its disk',
  kind: 'job',
  input: z.object({ name: containerInput, on: onInput, force: z.boolean().default(false).describe('Also where it is running: it is ended first') }),
  output: z.object({ name: z.string() }),
  examples: [{ command: 'ingot ct delete web --on proxmox:home', does: 'deletes the container web, which must not be running' }],
  async run(input, context) {
    await onContainer(context, input, 'Deleting', async (containers, container, span) => {
      if (input.force) await containers.stop(container, { timeout: 0, force: true }, span);
      await containers.delete(container, span);
    });
    return { name: input.name };
  },
  render: ({ name }) => `${name} is deleted.`,
});

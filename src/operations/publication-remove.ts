import * as z from 'zod';
import { removePublication } from '../publish/promote.ts';
import { defineOperation } from './operation.ts';
import { onPublication } from './publication-open.ts';
import { publicationInput } from './publication-output.ts';

export default defineOperation({
  name: 'publication remove',
  summary: 'Remove a publication from its target, with all that belongs to it',
  description: 'Refused while VMs stand on it. One that ended early is cleaned up by this too.',
  kind: 'job',
  input: z.strictObject({
    publication: publicationInput,
    force: z
      .boolean()
      .default(false)
      .describe('Also the current one, and one of which it cannot be told whether clones are linked; never one with linked clones'),
  }),
  output: z.strictObject({ id: z.string() }),
  examples: [{ command: 'ingot publication remove proxmox-home-web-0123456789ab', does: 'remove an old version' }],
  run: (input, context) =>
    onPublication(context, input.publication, 'removing', async (platform, journal) => {
      await context.events.stage(`removing ${journal.content.id}`, () => removePublication(platform, journal, input));
      return { id: journal.content.id };
    }),
  render: ({ id }) => `${id} is removed`,
});

import * as z from 'zod';
import { previousOf, promote } from '../publish/promote.ts';
import { defineOperation } from './operation.ts';
import { journalOf, onPublication } from './publication-open.ts';
import { publicationInput, publicationLine, publicationLineSchema } from './publication-output.ts';

export default defineOperation({
  name: 'publication rollback',
  summary: 'Make the version current that was so before',
  description: 'The one that is current now stays on the target, and can be promoted again.',
  kind: 'job',
  input: z.strictObject({ publication: publicationInput }),
  output: z.strictObject({ from: z.string(), to: publicationLineSchema }),
  examples: [{ command: 'ingot publication rollback proxmox:home/web', does: 'back to the version before' }],
  run: (input, context) =>
    onPublication(context, input.publication, 'rolling back', async (platform, current) => {
      const journal = await journalOf(context, await previousOf(context, current.content));
      await promote(context, platform, journal);
      return { from: current.content.id, to: publicationLine(journal.content) };
    }),
  render: ({ from, to }) => `${to.id} is current again, instead of ${from}`,
});

import * as z from 'zod';
import { removePublication } from '../publish/promote.ts';
import { removePlaces } from '../publish/remove-places.ts';
import { defineOperation } from './operation.ts';
import { onPublication } from './publication-open.ts';
import { publicationInput } from './publication-output.ts';

export default defineOperation({
  name: 'publication remove',
  summary: 'Remove a publication from its target, with all that belongs to it',
  description:
    'Refused while VMs stand on it. One that ended early is cleaned up by this too. With --zone, it goes from there alone and stays elsewhere, and every other zone is listed again afterwards; the current one goes so without --force.',
  kind: 'job',
  input: z.strictObject({
    publication: publicationInput,
    zone: z.array(z.string().min(1)).default([]).describe('Only from this zone, or node; can be given again').meta({ placeholder: 'ZONE' }),
    force: z
      .boolean()
      .default(false)
      .describe('Also the current one, and one of which it cannot be told whether clones are linked; never one with linked clones'),
  }),
  output: z.strictObject({ id: z.string(), places: z.array(z.string()).describe('Where it is gone from') }),
  examples: [
    { command: 'ingot publication remove proxmox-home-web-0123456789ab', does: 'remove an old version' },
    { command: 'ingot publication remove cloudstack:prod/web --zone z2', does: 'from one zone, of the current version too' },
  ],
  run: (input, context) =>
    onPublication(context, input.publication, 'removing', async (platform, journal) => {
      const { id, places } = journal.content;
      const gone = await context.events.stage(`removing ${id}`, async () => {
        if (input.zone.length > 0) return await removePlaces(platform, journal, input.zone, input);
        await removePublication(platform, journal, input);
        return places.map((place) => place.id);
      });
      return { id, places: gone };
    }),
  render: ({ id, places }) => `${id} is removed${places.length === 0 ? '' : ` from ${places.join(', ')}`}`,
});

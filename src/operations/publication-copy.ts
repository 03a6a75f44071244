import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { requireTools } from '../doctor/install.ts';
import { openPlatform } from '../publish/adapters.ts';
import { copyPublication } from '../publish/copy.ts';
import { publishedImage } from '../publish/image.ts';
import { findPublication, type Publication } from '../publish/journal.ts';
import { findTarget } from '../publish/targets.ts';
import type { Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { defineOperation, type Context } from './operation.ts';
import { publicationDetailSchema, publicationInput, publicationLine } from './publication-output.ts';

export default defineOperation({
  name: 'publication copy',
  summary: 'Copy a publication to more zones of its target, and prove it there',
  description:
    'CloudStack copies it from a zone that has it; nothing is sent from here. In each new zone it is waited for, with percent and cause, and proven as by `publish`; one that does not pass is removed from that zone, and stays as it is in the others. The zones stand in the publication from then on: promoted, rolled back and removed with it. What was cut goes on when the command is run again.',
  kind: 'job',
  input: z.strictObject({
    publication: publicationInput,
    zone: z.array(z.string().min(1)).default([]).describe('Zone that gets it; can be given again').meta({ placeholder: 'ZONE' }),
    allZones: z.boolean().default(false).describe('Every zone that is enabled and has not got it'),
    validate: z.boolean().default(true).describe('Prove it there on an instance; --no-validate only copies, and says so in the report'),
    ssh: z.boolean().default(true).describe('Log in to the trial instance; --no-ssh where its network cannot be reached from here'),
  }),
  output: publicationDetailSchema.extend({ outcome: z.enum(['copied', 'unchanged']) }),
  examples: [
    { command: 'ingot publication copy cloudstack:prod/web --zone z2', does: 'to one zone more' },
    { command: 'ingot publication copy web --all-zones', does: 'to every zone that lacks it' },
  ],
  async run({ publication: reference, zone, allZones, validate, ssh }, context) {
    if (allZones === zone.length > 0) {
      throw new IngotError('usage', allZones ? 'zones-twice' : 'zones-missing', allZones ? '--all-zones and --zone are given' : 'No zone is named', {
        hint: allZones ? 'Leave one of them away.' : 'Name it with --zone, or give --all-zones.',
      });
    }
    const found = await findPublication(context, reference);
    const image = publishedImage(await imageOf(context, found), `${found.image.name}@${found.image.digest}`, found.target, { unproven: true });
    if (validate && ssh) await requireTools(context, ['ssh', 'ssh-keygen']);
    await using platform = await openPlatform(context, await findTarget(context, found.target));
    const { publication, outcome } = await copyPublication(context, platform, found, image, { zones: zone, all: allZones, ssh, validate });
    const made = publication.places
      .filter(({ id }) => !found.places.some((one) => one.id === id && one.state === 'validated'))
      .map(({ id, facts, state, checks }) => ({ place: id, what: platform.publisher.describe({ facts }), state, checks }));
    return { ...publicationLine(publication), made, outcome: outcome === 'published' ? ('copied' as const) : outcome };
  },
  render({ id, made, outcome, places }) {
    if (outcome === 'unchanged') return `${id} is there already: ${places.join(', ')}`;
    return made
      .map(({ place, what, checks }) => {
        const passed = checks.filter(({ result }) => result === 'passed').length;
        return `${place}: ${what}, ${passed === 0 ? 'not proven there' : `${passed} of ${checks.length} checks passed`}`;
      })
      .join('\n');
  },
});

/** What was published, which says how it is tried out. Throws `image-unknown`. */
async function imageOf(context: Context, { id, image }: Publication): Promise<Image> {
  try {
    return await openStore(context.host, context.home).resolve(image.digest);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'image-unknown') throw error;
    throw new IngotError('not-found', 'image-unknown', `The image of ${id} is no longer in the store, and says how a trial of it is`, {
      hint: `Bring it back (\`ingot image pull\`, \`ingot image load\`): ${image.digest}.`,
    });
  }
}

import * as z from 'zod';
import { hostPath } from '../base/types.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { countOf, shortDigest } from './image-text.ts';
import { defineOperation, type RenderOptions } from './operation.ts';
import { styled } from './table.ts';

const output = z.strictObject({
  file: z.string(),
  dryRun: z.boolean(),
  /** When the backup was made. */
  created: z.string(),
  images: z.array(
    z.strictObject({
      digest: z.string(),
      template: z.string(),
      /** Tags that it has now and had not before. */
      added: z.array(z.string()),
      isNew: z.boolean(),
      /** Its layers that the store lacks. */
      missing: z.array(z.string()),
    }),
  ),
  /** Tags that another image here has: it keeps them, with --force it loses them. */
  conflicts: z.array(z.strictObject({ reference: z.string(), here: z.string(), backup: z.string(), hereIsNewer: z.boolean(), moved: z.boolean() })),
  /** Images without a tag that were left out, since their layers are not here. */
  left: z.array(z.string()),
  statements: z.int(),
  records: z.strictObject({ added: z.int(), left: z.int() }),
});
type Output = z.output<typeof output>;

export default defineOperation({
  name: 'image restore',
  summary: 'Bring back what a backup of the store knows',
  description:
    "Adds the tags, images, gates' results and layer records that the backup has and the store lacks; what the store has stays. A tag that another image here has is not moved without --force, and named either way. Every byte is proven by its digest. Layers are not in a backup: images that lack some are marked as damaged and can be used when they were loaded or built. Records let builds use layers that are here already, under the keys that the backup names: take those of others with --no-cache, or not at all.",
  kind: 'job',
  input: z.strictObject({
    file: clientFile.meta({ positional: true, clientFile: true }).describe('The backup'),
    dryRun: z.boolean().default(false).meta({ short: 'n' }).describe('Only say what would be restored'),
    force: z.boolean().default(false).describe('Move tags that other images here have'),
    cache: z.boolean().default(true).describe('Take the records of the layer cache too; --no-cache takes the images alone'),
  }),
  output,
  examples: [
    { command: 'ingot image restore registry.tar --dry-run', does: 'see what would come back, and which layers are missing' },
    { command: 'ingot image restore registry.tar', does: 'bring it back' },
  ],
  async run(input, { host, home, events, signal }) {
    const { file, dryRun, force, cache } = input;
    const restored = await events.stage(`restore the registry from ${file}`, () =>
      openStore(host, home).restore(hostPath(file), { dryRun, force, cache, signal }),
    );
    return {
      file,
      dryRun,
      ...restored,
      images: restored.images.map((image) => ({ ...image, added: [...image.added], missing: [...image.missing] })),
      conflicts: restored.conflicts.map((conflict) => ({ ...conflict, moved: force })),
      left: [...restored.left],
    };
  },
  render(result, options) {
    const { images, conflicts, left, statements, records, dryRun, created } = result;
    const changed = images.filter(({ isNew, added }) => isNew || added.length > 0);
    const tags = changed.reduce((sum, { added }) => sum + added.length, 0);
    return [
      ...changed.map(({ added, digest, isNew }) => `${added.join(', ') || '(no tag)'}  ${styled(digest, 'dim', options)}${isNew ? '' : ' (was there)'}`),
      ...conflicts.map((conflict) => conflictLine(conflict, options)),
      ...left.map((digest) => `left out: ${digest} has no tag, and its layers are not here`),
      ...missingLines(images, options),
      `${dryRun ? 'Would restore' : 'Restored'} ${countOf(tags, 'tag')}, ${countOf(changed.filter(({ isNew }) => isNew).length, 'image')}, ${countOf(statements, 'gate result')}, ${countOf(records.added, 'layer record')} of the backup of ${created}${records.left === 0 ? '' : `; ${countOf(records.left, 'record')} left out, whose layers are not here`}`,
    ].join('\n');
  },
});

function conflictLine({ reference, here, backup, hereIsNewer, moved }: Output['conflicts'][number], options: RenderOptions): string {
  const which = hereIsNewer ? 'a newer image' : 'another image';
  const mark = styled('!', 'yellow', options);
  return moved
    ? `${mark} ${reference} was on ${which} here (${shortDigest(here)}) and is on ${shortDigest(backup)} of the backup`
    : `${mark} ${reference} stays on ${which} here (${shortDigest(here)}); the backup has it on ${shortDigest(backup)}. --force moves it`;
}

/** The images that cannot be used yet, and how to get their layers. */
function missingLines(images: Output['images'], options: RenderOptions): string[] {
  const lacking = images.filter(({ missing }) => missing.length > 0);
  if (lacking.length === 0) return [];
  const layers = new Set(lacking.flatMap(({ missing }) => missing));
  return [
    `${styled('!', 'yellow', options)} ${countOf(lacking.length, 'image')} ${lacking.length === 1 ? 'lacks' : 'lack'} ${countOf(layers.size, 'layer')}, which no backup holds:`,
    ...lacking.map(({ template, digest, missing }) => `    ${template} ${shortDigest(digest)}: ${missing.map(shortDigest).join(', ')}`),
    `    \`ingot image load\` of an archive that holds them brings them back; \`ingot build ${lacking[0]?.template ?? ''}\` and so on makes the images anew.`,
  ];
}

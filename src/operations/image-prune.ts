import * as z from 'zod';
import { formatSize, parseAge, parseSize } from '../base/types.ts';
import { imageUsers } from '../platforms/local/vms.ts';
import { pruneWarmStates } from '../platforms/local/warm-remove.ts';
import { sweepInstalled } from '../sources/installer/installed-disk.ts';
import { openStore } from '../store/store.ts';
import { countOf, shortDigest } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image prune',
  summary: 'Remove images that nothing names or uses, and files that nothing refers to',
  description:
    'Without options, images that have lost their last tag go. An image that a VM uses, that is tagged latest, or that has a tag a user or a template gave never goes; the automatic tags of builds (date and short digest) alone do not keep it from --keep, --older-than and --max-size. --keep and --older-than decide together: what goes is not among the newest and is older. --max-size then removes more, the oldest first: such images by when they were made, and cached layers that no image has by when they were last used. Machines that `vm create --warm` started from go where their image is gone, or where QEMU, the firmware or the host has changed. Disks that an installer has left, and that a build did not come to take into the store, go after a week. --layers empties the layer cache of all that no image has, and removes such disks at once: the next build that needs them takes longer.',
  kind: 'query',
  input: z.strictObject({
    keep: z.int().nonnegative().optional().meta({ placeholder: 'N' }).describe('Remove images with automatic tags alone, but not the newest N of each name'),
    olderThan: z.string().optional().meta({ placeholder: 'AGE' }).describe('Remove images with automatic tags alone that are older: 12h, 30d, 8w'),
    maxSize: z
      .string()
      .optional()
      .meta({ placeholder: 'SIZE' })
      .describe('Remove images with automatic tags alone and cached layers, oldest first, until the store takes no more: 20GiB'),
    layers: z.boolean().default(false).describe('Also remove cached layers that no image uses'),
    dryRun: z.boolean().default(false).meta({ short: 'n' }).describe('Only say what would be removed'),
  }),
  output: z.strictObject({
    dryRun: z.boolean(),
    images: z.array(z.strictObject({ name: z.string(), digest: z.string(), references: z.array(z.string()) })),
    layers: z.array(z.strictObject({ name: z.string(), key: z.string() })),
    files: z.array(z.string()),
    /** Booted machines that no VM can start from any more. */
    warm: z.array(z.strictObject({ image: z.string(), key: z.string(), reason: z.string(), size: z.int() })),
    /** Disks that installers have left, and that no build took into the store. */
    installed: z.array(z.strictObject({ path: z.string(), size: z.int() })),
    freed: z.int(),
    /** Bytes of all that is left in the store. */
    size: z.int(),
    kept: z.array(z.string()),
  }),
  examples: [
    { command: 'ingot image prune --keep 3 --older-than 30d', does: 'remove builds that are older than 30 days, but never the newest three of a name' },
    { command: 'ingot image prune --max-size 20GiB --dry-run', does: 'see what would go for the store to fit into 20 GiB' },
    { command: 'ingot image prune --dry-run', does: 'see what would go' },
    { command: 'ingot image prune --layers', does: 'free as much space as can be freed' },
  ],
  async run(input, context) {
    const { host, home } = context;
    // First, since their disks keep what they stand on in the store.
    const warm = await pruneWarmStates(context, { dryRun: input.dryRun });
    const installed = await sweepInstalled(context, { all: input.layers, dryRun: input.dryRun });
    const report = await openStore(host, home).prune(await imageUsers(host, home), {
      layers: input.layers,
      dryRun: input.dryRun,
      ...(input.keep === undefined ? {} : { keep: input.keep }),
      ...(input.olderThan === undefined ? {} : { olderThan: parseAge(input.olderThan) }),
      ...(input.maxSize === undefined ? {} : { maxSize: parseSize(input.maxSize) }),
    });
    return {
      dryRun: input.dryRun,
      images: report.images.map((image) => ({ ...image, references: [...image.references] })),
      layers: [...report.layers],
      files: [...report.files],
      warm: warm.map(({ state, size, useless }) => ({ image: state.shape.image.reference, key: state.key, reason: useless ?? '', size })),
      installed: installed.map(({ path, size }) => ({ path, size })),
      freed: [...warm, ...installed].reduce((sum, { size }) => sum + size, report.freed),
      size: report.size,
      kept: [...report.kept],
    };
  },
  render(report) {
    const lines = [
      ...report.images.map((image) => `image  ${image.references.join(', ') || `${image.name}@sha256:${shortDigest(image.digest)}`}`),
      ...report.layers.map((layer) => `layer  ${layer.name} (key ${shortDigest(layer.key)})`),
      ...report.installed.map(({ path }) => `disk   ${path}: of an installation that no build went on with`),
      ...report.warm.map(({ image, key, reason }) => `warm   ${image} (key ${key}): ${reason}`),
    ];
    const sum = `${countOf(report.images.length, 'image')}, ${countOf(report.layers.length, 'layer')}, ${countOf(report.files.length, 'file')}: ${formatSize(report.freed)} ${report.dryRun ? 'would be freed' : 'freed'}, ${formatSize(report.size)} ${report.dryRun ? 'would be left' : 'left'}`;
    return [...lines, ...report.kept.map((reason) => `kept: ${reason}`), report.files.length === 0 && lines.length === 0 ? 'Nothing to remove' : sum].join(
      '\n',
    );
  },
});

import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { imageUsers } from '../platforms/local/vms.ts';
import { openStore } from '../store/store.ts';
import { countOf, shortDigest } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image prune',
  summary: 'Remove images that nothing names or uses, and files that nothing refers to',
  description:
    'Never what is tagged or what a VM uses. --layers also empties the layer cache of what no image uses: the next build that needs it takes longer.',
  kind: 'query',
  input: z.strictObject({
    layers: z.boolean().default(false).describe('Also remove cached layers that no image uses'),
    dryRun: z.boolean().default(false).meta({ short: 'n' }).describe('Only say what would be removed'),
  }),
  output: z.strictObject({
    dryRun: z.boolean(),
    images: z.array(z.strictObject({ name: z.string(), digest: z.string() })),
    layers: z.array(z.strictObject({ name: z.string(), key: z.string() })),
    files: z.array(z.string()),
    freed: z.int(),
    kept: z.array(z.string()),
  }),
  examples: [
    { command: 'ingot image prune --dry-run', does: 'see what would go' },
    { command: 'ingot image prune --layers', does: 'free as much space as can be freed' },
  ],
  async run(input, { host, home }) {
    const report = await openStore(host, home).prune(await imageUsers(host, home), input);
    return {
      dryRun: input.dryRun,
      images: [...report.images],
      layers: [...report.layers],
      files: [...report.files],
      freed: report.freed,
      kept: [...report.kept],
    };
  },
  render(report) {
    const lines = [
      ...report.images.map((image) => `image  ${image.name}@sha256:${shortDigest(image.digest)}`),
      ...report.layers.map((layer) => `layer  ${layer.name} (key ${shortDigest(layer.key)})`),
    ];
    const sum = `${countOf(report.images.length, 'image')}, ${countOf(report.layers.length, 'layer')}, ${countOf(report.files.length, 'file')}: ${formatSize(report.freed)} ${report.dryRun ? 'would be freed' : 'freed'}`;
    return [...lines, ...report.kept.map((reason) => `kept: ${reason}`), report.files.length === 0 && lines.length === 0 ? 'Nothing to remove' : sum].join(
      '\n',
    );
  },
});

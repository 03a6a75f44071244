import * as z from 'zod';
import { formatDuration, formatSize } from '../base/types.ts';
import { openStore } from '../store/store.ts';
import { countOf, formatAge, shortDigest } from './image-text.ts';
import { defineOperation } from './operation.ts';
import { renderTable, styled, type Cell } from './table.ts';

const layerSchema = z.strictObject({
  name: z.string(),
  /** What made it: bootstrap, packages, role, a step. Images made before there were kinds have none. */
  kind: z.string().optional(),
  key: z.string(),
  digest: z.string(),
  /** Bytes in the store. */
  size: z.int(),
  packages: z.int(),
  /** When it was made, and the seconds that took; absent where the layer cache no longer knows. */
  made: z.string().optional(),
  age: z.int().optional(),
  seconds: z.number().optional(),
  /** Other images with this layer. */
  sharedWith: z.array(z.string()),
});

export default defineOperation({
  name: 'image history',
  summary: 'Show the layers of an image, bottom to top, and which other images share them',
  description:
    'SHARED is how many other images have the layer too. MADE and TOOK come from the layer cache; they are empty where the cache has dropped the layer.',
  kind: 'query',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image' }).describe('name, name:tag or name@sha256:…'),
  }),
  output: z.strictObject({
    references: z.array(z.string()),
    digest: z.string(),
    /** The image that its template started from, where that was one. */
    from: z.strictObject({ reference: z.string(), digest: z.string() }).optional(),
    layers: z.array(layerSchema),
  }),
  examples: [
    { command: 'ingot image history web', does: 'how the latest one came to be' },
    { command: 'ingot image history web:1.4 --json', does: 'the same, with the names of the images that share each layer' },
  ],
  async run(input, { host, home }) {
    const { image, layers } = await openStore(host, home).history(input.image);
    const now = host.clock.now().getTime();
    const { from } = image.config['dev.ingot.image'];
    return {
      references: [...image.references],
      digest: image.digest,
      ...(from === undefined ? {} : { from: { reference: from.reference, digest: from.digest } }),
      layers: layers.map(({ told, key, digest, size, record, sharedWith }) => ({
        name: told.name,
        ...(told.kind === undefined ? {} : { kind: told.kind }),
        key,
        digest,
        size,
        packages: told.packages.length,
        ...(record === undefined
          ? {}
          : { made: record.created, age: Math.max(0, Math.floor((now - Date.parse(record.created)) / 1000)), seconds: record.seconds }),
        sharedWith: [...sharedWith],
      })),
    };
  },
  render({ references, digest, from, layers }, options) {
    const columns = [
      { title: 'LAYER' },
      { title: 'KIND' },
      { title: 'KEY' },
      { title: 'DIGEST' },
      { title: 'SIZE', right: true },
      { title: 'PACKAGES', right: true },
      { title: 'MADE' },
      { title: 'TOOK', right: true },
      { title: 'SHARED', right: true },
    ];
    const rows = layers.map((layer): Cell[] => [
      layer.name,
      layer.kind ?? '',
      { text: shortDigest(layer.key), style: 'dim' },
      { text: shortDigest(layer.digest), style: 'dim' },
      formatSize(layer.size),
      layer.packages === 0 ? '' : String(layer.packages),
      layer.age === undefined ? '' : formatAge(layer.age),
      layer.seconds === undefined ? '' : formatDuration(layer.seconds),
      layer.sharedWith.length === 0 ? '' : String(layer.sharedWith.length),
    ]);
    const stored = layers.reduce((sum, layer) => sum + layer.size, 0);
    const own = layers.filter((layer) => layer.sharedWith.length === 0).reduce((sum, layer) => sum + layer.size, 0);
    const head = `${styled(references.join(', ') || '(no tag)', 'bold', options)}  ${styled(digest, 'dim', options)}`;
    const base = from === undefined ? [] : [`built on ${from.reference}  ${styled(from.digest, 'dim', options)}`];
    return [
      head,
      ...base,
      '',
      renderTable(columns, rows, options),
      '',
      `${countOf(layers.length, 'layer')}, ${formatSize(stored)}, ${formatSize(own)} of it its own`,
    ].join('\n');
  },
});

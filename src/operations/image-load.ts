import * as z from 'zod';
import { formatSize, hostPath } from '../base/types.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image load',
  summary: 'Take the images of an archive into the store',
  description:
    'Reads what image save wrote, and the oci-archive of an image that other tools (skopeo, podman) copied. Every byte is proven by its digest, and nothing is taken unless everything fits; what the store has already is not copied. The layers enter the layer cache under the keys that the archive names: builds then use them, so load archives of others with --no-cache, or not at all.',
  kind: 'job',
  input: z.strictObject({
    file: clientFile.meta({ positional: true, clientFile: true }).describe('The archive'),
    force: z.boolean().default(false).describe('Move tags that other images here have'),
    cache: z.boolean().default(true).describe('Let builds use the layers; --no-cache takes the images alone'),
  }),
  output: z.strictObject({
    images: z.array(z.strictObject({ digest: z.string(), references: z.array(z.string()), isNew: z.boolean() })),
    blobs: z.int(),
    /** Blobs that the store did not have, and their bytes. */
    copied: z.int(),
    bytes: z.int(),
    /** Layers that are new in the layer cache. */
    cached: z.int(),
  }),
  examples: [
    { command: 'ingot image load images.tar', does: 'all images of an archive' },
    { command: 'ingot image load --no-cache web.tar', does: 'the image of somebody whose builds are not to mix with your own' },
  ],
  async run(input, { host, home, events, signal }) {
    const loaded = await events.stage(`load ${input.file}`, (span) =>
      openStore(host, home).load(hostPath(input.file), {
        force: input.force,
        cache: input.cache,
        signal,
        onProgress: (done, total) => span.progress(done, total, 'bytes'),
      }),
    );
    return { ...loaded, images: loaded.images.map((image) => ({ ...image, references: [...image.references] })) };
  },
  render: ({ images, blobs, copied, bytes, cached }) =>
    [
      ...images.map(({ references, digest, isNew }) => `${references.join(', ')}  ${digest}${isNew ? '' : ' (was there)'}`),
      `${countOf(copied, 'file')} of ${blobs} copied, ${formatSize(bytes)}${cached === 0 ? '' : `; ${countOf(cached, 'layer')} new in the cache`}`,
    ].join('\n'),
});

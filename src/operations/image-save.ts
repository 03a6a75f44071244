import * as z from 'zod';
import { formatSize, hostPath } from '../base/types.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image save',
  summary: 'Write images to one archive, for another machine without a registry',
  description:
    'The archive is a tar file of an OCI image layout, with each shared layer once, what the gates found, and what the layer cache knows of the layers, so that builds there need not make them again. An image that was named by name:tag has that tag in it; one that was named by its digest has all its tags. Every byte is proven by its digest while it is copied.',
  kind: 'job',
  input: z.strictObject({
    images: z.array(z.string()).min(1).meta({ positional: true, complete: 'image', placeholder: 'IMAGE' }).describe('name, name:tag or name@sha256:…'),
    out: clientFile.meta({ clientFile: true, short: 'o', placeholder: 'FILE' }).describe('The archive to write'),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({
    file: z.string(),
    size: z.int(),
    blobs: z.int(),
    images: z.array(z.strictObject({ digest: z.string(), references: z.array(z.string()) })),
  }),
  examples: [
    { command: 'ingot image save web db --out images.tar', does: 'two images, the layers that they share once' },
    { command: 'ingot image save web:1.4 -o web.tar && scp web.tar other:', does: 'bring one to another machine' },
  ],
  async run(input, { host, home, events, signal }) {
    const file = hostPath(input.out);
    const saved = await events.stage(`save ${countOf(input.images.length, 'image')}`, (span) =>
      openStore(host, home).save(input.images, file, {
        force: input.force,
        signal,
        onProgress: (done, total) => span.progress(done, total, 'bytes'),
      }),
    );
    return { file, size: saved.size, blobs: saved.blobs, images: saved.images.map(({ digest, references }) => ({ digest, references: [...references] })) };
  },
  render: ({ file, size, images }) =>
    [
      `${file}: ${countOf(images.length, 'image')}, ${formatSize(size)}`,
      ...images.map(({ digest, references }) => `  ${references.join(', ') || digest}`),
    ].join('\n'),
});

import * as z from 'zod';
import { formatSize, hostPath } from '../base/types.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { countOf } from './image-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image backup',
  summary: 'Write down what the store knows, without the disks',
  description:
    "Tags, manifests, configs, the gates' results and the records of the layer cache: a small file, from which `ingot image restore` brings the names of images back, and what is known of layers that are still there. It does not hold the layers: `ingot image save` does. Images and results that are damaged are left out and named.",
  kind: 'job',
  input: z.strictObject({
    file: clientFile.meta({ positional: true, clientFile: true }).describe('The backup to write'),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({
    file: z.string(),
    size: z.int(),
    images: z.int(),
    references: z.int(),
    statements: z.int(),
    records: z.int(),
    /** What is damaged, and so not in it. */
    left: z.array(z.string()),
  }),
  examples: [
    { command: 'ingot image backup registry.tar', does: 'the registry in one file' },
    { command: 'ingot image backup ~/backups/ingot.tar --force', does: 'every night, in the place of the last one' },
  ],
  async run(input, { host, home, events, signal }) {
    const file = hostPath(input.file);
    const done = await events.stage(`back up the registry`, (span) =>
      openStore(host, home).backup(file, { force: input.force, signal, onProgress: (bytes, total) => span.progress(bytes, total, 'bytes') }),
    );
    return { file, ...done, left: [...done.left] };
  },
  render: ({ file, size, images, references, statements, records, left }) =>
    [
      `${file}: ${countOf(images, 'image')} with ${countOf(references, 'tag')}, ${countOf(statements, 'gate result')}, ${countOf(records, 'layer record')}, ${formatSize(size)}`,
      ...left.map((what) => `  not in it: ${what}`),
    ].join('\n'),
});

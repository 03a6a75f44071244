import * as z from 'zod';
import { formatSize, hostPath } from '../base/types.ts';
import { EXPORT_FORMATS } from '../disk/convert.ts';
import { exportImage, formatOfFile } from '../disk/export.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'image export',
  summary: 'Write an image to one flat file that any hypervisor boots',
  description: 'qcow2 is compressed with zstd (QEMU 5.1 and later read it), raw is sparse. The file appears under its name when it is whole.',
  kind: 'job',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image' }).describe('name, name:tag or name@sha256:…'),
    out: clientFile.meta({ positional: true, clientFile: true }).describe('The file to write; its extension names the format (.qcow2, .raw, .img)'),
    format: z.enum(EXPORT_FORMATS).optional().describe('The format, whatever the extension says'),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({ file: z.string(), format: z.enum(EXPORT_FORMATS), digest: z.string(), size: z.int(), allocated: z.int() }),
  examples: [
    { command: 'ingot image export debian-12 debian-12.qcow2', does: 'a compressed qcow2 file' },
    { command: 'ingot image export debian-12 disk.img --format raw', does: 'a sparse raw disk' },
  ],
  async run(input, { host, home, events, signal }) {
    const format = input.format ?? formatOfFile(input.out);
    const image = await openStore(host, home).resolve(input.image);
    const target = hostPath(input.out);
    const written = await events.stage(`export ${input.image}`, (span) =>
      exportImage(host, home, image, target, { format, force: input.force, signal, onProgress: (percent) => span.progress(percent, 100, 'items', '%') }),
    );
    return { file: target, format, digest: image.digest, ...written };
  },
  render: (result) =>
    `${result.file}: ${result.format}, ${formatSize(result.size)}${result.allocated < result.size ? ` (${formatSize(result.allocated)} on the disk)` : ''}`,
});

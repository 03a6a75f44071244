import * as z from 'zod';
import type { Span } from '../base/events.ts';
import { formatSize, hostPath, type HostPath } from '../base/types.ts';
import { EXPORT_FORMATS } from '../disk/convert.ts';
import { exportImage, formatOfFile } from '../disk/export.ts';
import type { Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { PLACES, type PlaceKind } from '../workspace/place.ts';
import { clientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';

export default defineOperation({
  name: 'image export',
  summary: 'Write an image to one flat file that any hypervisor boots',
  description:
    'qcow2 is compressed with zstd (QEMU 5.1 and later read it), raw is sparse. The file appears under its name when it is whole. With --reproducible, ext4 file systems are laid out anew, and files that carry the time of the build get one time: what is built twice from the same lock file is then the same byte by byte. xfs and btrfs are the same file by file.',
  kind: 'job',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image' }).describe('name, name:tag or name@sha256:…'),
    out: clientFile.meta({ positional: true, clientFile: true }).describe('The file to write; its extension names the format (.qcow2, .raw, .img)'),
    format: z.enum(EXPORT_FORMATS).optional().describe('The format, whatever the extension says'),
    reproducible: z.boolean().default(false).describe('Lay out the file systems anew, so that the same locked inputs give the same bytes on any machine'),
    workspace: z.enum(PLACES).optional().describe('Where disks are opened; default: here where that is possible, else the helper VM'),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({ file: z.string(), format: z.enum(EXPORT_FORMATS), digest: z.string(), size: z.int(), allocated: z.int() }),
  examples: [
    { command: 'ingot image export debian-12 debian-12.qcow2', does: 'a compressed qcow2 file' },
    { command: 'ingot image export debian-12 disk.img --format raw', does: 'a sparse raw disk' },
    { command: 'ingot image export web web.raw --reproducible', does: 'a disk that a second build of the same lock file gives byte by byte' },
  ],
  async run(input, context) {
    const { host, home, events, signal } = context;
    const format = input.format ?? formatOfFile(input.out);
    const image = await openStore(host, home).resolve(input.image);
    const target = hostPath(input.out);
    const written = await events.stage(`export ${input.image}`, (span) =>
      exportImage(host, home, image, target, {
        format,
        force: input.force,
        signal,
        onProgress: (percent) => span.progress(percent, 100, 'items', '%'),
        ...(input.reproducible ? { disk: (scratch) => layOutAgain(context, image, { workspace: input.workspace, scratch, span }) } : {}),
      }),
    );
    return { file: target, format, digest: image.digest, ...written };
  },
  render: (result) =>
    `${result.file}: ${result.format}, ${formatSize(result.size)}${result.allocated < result.size ? ` (${formatSize(result.allocated)} on the disk)` : ''}`,
});

async function layOutAgain(context: Context, image: Image, options: { workspace: PlaceKind | undefined; scratch: HostPath; span: Span }): Promise<HostPath> {
  const { reproducibleDisk } = await import('../disk/reproducible.ts');
  return await reproducibleDisk(context, image, { ...options, onStage: (what) => options.span.progress(0, undefined, 'items', what) });
}

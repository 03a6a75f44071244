import * as z from 'zod';
import type { Span } from '../base/events.ts';
import { formatSize, hostPath, type HostPath } from '../base/types.ts';
import { exportImage } from '../disk/export.ts';
import { chooseFormat, FORMAT_NAMES, FORMATS, formatOf, parseOptions } from '../disk/formats/table.ts';
import type { Image } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { PLACES, type PlaceKind } from '../workspace/place.ts';
import { clientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';

const OPTIONS = FORMAT_NAMES.flatMap((name) =>
  Object.entries(formatOf(name).options).map(([key, { values }]) => `${name}: ${key} is ${values.join(', ')}`),
).join('; ');

export default defineOperation({
  name: 'image export',
  summary: 'Write an image to one file for a hypervisor, a cloud or containers',
  description: `The file appears under its name when it is whole and has been read back against the image. Formats: ${FORMAT_NAMES.map((name) => `${name} (${FORMATS[name].use})`).join('; ')}. With --reproducible, ext4 file systems are laid out anew, and files that carry the time of the build get one time: what is built twice from the same lock file is then the same byte by byte. xfs and btrfs are the same file by file.`,
  kind: 'job',
  input: z.strictObject({
    image: z.string().meta({ positional: true, complete: 'image' }).describe('name, name:tag or name@sha256:…'),
    out: clientFile
      .meta({ positional: true, clientFile: true })
      .describe('The file to write; its extension names the format (.qcow2, .raw.xz, .vmdk, .ova, .vhd, .tar.zst …). For the format web, a folder'),
    format: z.enum(FORMAT_NAMES).optional().describe('The format, whatever the extension says'),
    option: z.array(z.string()).default([]).meta({ placeholder: 'NAME=VALUE' }).describe(`An option of the format, the first value without it. ${OPTIONS}`),
    reproducible: z.boolean().default(false).describe('Lay out the file systems anew, so that the same locked inputs give the same bytes on any machine'),
    workspace: z.enum(PLACES).optional().describe('Where disks are opened; default: here where that is possible, else the helper VM'),
    force: z.boolean().default(false).describe('Replace a file that is there'),
  }),
  output: z.strictObject({ file: z.string(), format: z.enum(FORMAT_NAMES), digest: z.string(), size: z.int(), allocated: z.int() }),
  examples: [
    { command: 'ingot image export debian-12 debian-12.qcow2', does: 'a compressed qcow2 file' },
    { command: 'ingot image export debian-12 disk.img --format raw', does: 'a sparse raw disk' },
    { command: 'ingot image export debian-12 debian-12.ova', does: 'a package for vSphere, with pvscsi and vmxnet3' },
    { command: 'ingot image export debian-12 azure.vhd --option layout=fixed', does: 'a VHD as Azure takes it' },
    { command: 'ingot image export debian-12 ./public --format web --option file=raw.xz', does: 'a file and SHA256SUMS in a folder to be served' },
    { command: 'ingot image export web web.raw --reproducible', does: 'a disk that a second build of the same lock file gives byte by byte' },
  ],
  async run(input, context) {
    const { host, home, events } = context;
    const format = chooseFormat(input.out, input.format, parseOptions(input.option));
    const image = await openStore(host, home).resolve(input.image);
    const { file, ...written } = await events.stage(`export ${input.image}`, (span) =>
      exportImage(context, image, hostPath(input.out), {
        format,
        force: input.force,
        onProgress: (percent, what) => span.progress(percent, 100, 'items', what ?? '%'),
        ...(input.workspace === undefined ? {} : { workspace: input.workspace }),
        ...(input.reproducible ? { disk: (scratch) => layOutAgain(context, image, { workspace: input.workspace, scratch, span }) } : {}),
      }),
    );
    return { file, format: format.name, digest: image.digest, ...written };
  },
  render({ file, format, size, allocated }) {
    const [whole, taken] = [formatSize(size), formatSize(allocated)];
    return `${file}: ${format}, ${whole}${allocated < size && taken !== whole ? ` (${taken} on the disk)` : ''}`;
  },
});

async function layOutAgain(context: Context, image: Image, options: { workspace: PlaceKind | undefined; scratch: HostPath; span: Span }): Promise<HostPath> {
  const { reproducibleDisk } = await import('../disk/reproducible.ts');
  return await reproducibleDisk(context, image, { ...options, onStage: (what) => options.span.progress(0, undefined, 'items', what) });
}

import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { writeOutFile } from '../base/out-file.ts';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, hostPath, type HostPath } from '../base/types.ts';
import { requireTools } from '../doctor/install.ts';
import type { ToolName } from '../doctor/tools.ts';
import type { Image } from '../store/model.ts';
import { layerPaths } from '../store/store.ts';
import { writeOrFull } from '../store/writing.ts';
import type { PlaceKind } from '../workspace/place.ts';
import { chooseFormat, type ChosenFormat, type FormatName } from './formats/table.ts';
import { WRITERS, type ExportContext } from './formats/writers.ts';

export interface ExportOptions {
  readonly format: ChosenFormat;
  /** Replace a file that is there. */
  readonly force: boolean;
  /** Makes the disk to be written, in a scratch folder: the file is then always the same where the disk is. Default: the image's own. */
  readonly disk?: (scratch: HostPath) => Promise<HostPath>;
  /** Where disks are opened, for formats that hold the root file system alone; default as {@link choosePlace} has it. */
  readonly workspace?: PlaceKind;
  /** From 0 to 100, and what is done now where that is not writing. */
  readonly onProgress?: (percent: number, what?: string) => void;
}

export interface Exported {
  readonly file: HostPath;
  readonly size: number;
  /** What it takes on the disk. */
  readonly allocated: number;
}

/** What of this host a format needs besides qemu-img. */
const TOOLS: Readonly<Partial<Record<FormatName, readonly ToolName[]>>> = {
  raw: ['xz', 'zstd'],
  lxc: ['xz', 'zstd'],
  incus: ['xz', 'zstd'],
  squashfs: ['sqfstar'],
};

/**
 * Writes an image as one file: to a temporary file beside the target, which becomes the target when it is whole, has been read back against the image, and is on
 * the disk. For the format `web`, `target` is a folder, which is made where it is missing. Throws `file-exists`, `folder-missing`, `store-full`, `export-differs`.
 */
export async function exportImage(context: ExportContext, image: Image, target: HostPath, options: ExportOptions): Promise<Exported> {
  const { name } = options.format;
  if (name === 'web') return await exportToFolder(context, image, target, options);
  await requireTools(context, ['qemu-img', ...(TOOLS[name] ?? [])]);
  const { host, home, signal } = context;
  const { files } = host;
  const bytes = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  await writeOutFile(host, home, target, { force: options.force, what: `exporting to ${target}` }, async (part) => {
    await using scratch = await makeScratch(host, home, `exporting to ${target}`);
    const chain = options.disk === undefined ? layerPaths(home, image) : [await options.disk(scratch.path)];
    await writeOrFull(host, target, bytes, async () => {
      const verify = await WRITERS[name]({
        ...{ context, image, chain, part, target, signal, format: options.format, scratch: scratch.path, size: image.config['dev.ingot.image'].disk.size },
        workspace: options.workspace,
        inOrder: options.disk !== undefined,
        onProgress: (percent) => options.onProgress?.(percent),
      });
      // On a full disk a tool of QEMU can end well and leave nothing: only this does not.
      await files.sync(part);
      options.onProgress?.(100, 'reading it back');
      await verify();
    });
  });
  const status = await files.status(target);
  return { file: target, size: status?.size ?? 0, allocated: status?.allocated ?? 0 };
}

const SUMS = 'SHA256SUMS';

/** Writes a file into a folder that is served, and the sums of all images there: those of other images stay as long as their files do. */
async function exportToFolder(context: ExportContext, image: Image, folder: HostPath, options: ExportOptions): Promise<Exported> {
  const { host } = context;
  const { files } = host;
  const there = await files.status(folder);
  if (there !== undefined && there.kind !== 'directory') {
    throw new IngotError('conflict', 'file-exists', `${folder} is no folder`, { hint: 'The format web writes into a folder.' });
  }
  await files.makeDirectory(folder);
  const name = fileName(image, options.format.options['file'] ?? 'qcow2');
  const exported = await exportImage(context, image, hostPath(join(folder, name)), { ...options, format: chooseFormat(name, undefined) });
  options.onProgress?.(100, SUMS);
  const { hex } = await files.sha256(exported.file);
  const lines = new Map<string, string>();
  for (const line of ((await readTextIfThere(files, join(folder, SUMS))) ?? '').split('\n')) {
    const [, sum, file] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
    if (sum === undefined || file === undefined || file.includes('/')) continue;
    if ((await files.status(join(folder, file))) !== undefined) lines.set(file, sum);
  }
  lines.set(name, hex);
  const text = [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([file, sum]) => `${sum}  ${file}\n`);
  await replaceFile(files, join(folder, SUMS), text.join(''));
  return exported;
}

/** Name of a served file: image, tag or short digest, architecture. */
function fileName(image: Image, extension: string): string {
  const { template } = image.config['dev.ingot.image'];
  const tags = image.references.map((reference) => reference.slice(reference.lastIndexOf(':') + 1)).filter((tag) => tag !== 'latest');
  const name = image.references[0]?.slice(0, image.references[0].lastIndexOf(':')) ?? template;
  return `${name}-${tags[0] ?? hexOf(image.digest).slice(0, 12)}-${image.config.architecture}.${extension}`;
}

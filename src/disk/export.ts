import { basename, extname } from 'node:path';
import { IngotError, nearest } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { writeOutFile } from '../base/out-file.ts';
import { makeScratch } from '../base/scratch.ts';
import type { HostPath } from '../base/types.ts';
import { layerPaths } from '../store/store.ts';
import type { Image } from '../store/model.ts';
import { writeOrFull } from '../store/writing.ts';
import { convertChain, EXPORT_FORMATS, type ExportFormat } from './convert.ts';
import { readQcow2Header } from './qcow2.ts';

export interface ExportOptions {
  readonly format: ExportFormat;
  /** Replace a file that is there. */
  readonly force: boolean;
  /** Makes the disk to be written, in a scratch folder: the file is then always the same where the disk is. Default: the image's own. */
  readonly disk?: (scratch: HostPath) => Promise<HostPath>;
  readonly onProgress?: (percent: number) => void;
  readonly signal?: AbortSignal;
}

/** The format that a file's extension stands for (`.qcow2`, `.raw`, `.img`); throws `format-unknown` where it stands for none. */
export function formatOfFile(path: string): ExportFormat {
  const extension = extname(path).slice(1).toLowerCase();
  if (extension === 'img') return 'raw';
  const format = EXPORT_FORMATS.find((one) => one === extension);
  if (format !== undefined) return format;
  const near = nearest(extension, EXPORT_FORMATS);
  throw new IngotError(
    'usage',
    'format-unknown',
    extension === '' ? `"${basename(path)}" has no extension that names a format` : `".${extension}" names no format that ingot exports`,
    {
      hint: near.length > 0 ? `Did you mean .${near.join(' or .')}?` : `Name the file .${EXPORT_FORMATS.join(' or .')}, or give --format.`,
    },
  );
}

/**
 * Writes an image as one flat file: to a temporary file beside the target, which becomes the target when it is whole and on the disk.
 * Returns its size and what it takes on the disk. Throws `file-exists`, `folder-missing`, `store-full`.
 */
export async function exportImage(
  host: Host,
  home: Home,
  image: Image,
  target: HostPath,
  options: ExportOptions,
): Promise<{ size: number; allocated: number }> {
  const { files } = host;
  const bytes = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  await writeOutFile(host, home, target, { force: options.force, what: `exporting to ${target}` }, async (part) => {
    await using undo = new AsyncDisposableStack();
    let chain = layerPaths(home, image);
    if (options.disk !== undefined) {
      const scratch = undo.use(await makeScratch(host, home, `laying out what is exported to ${target}`));
      chain = [await options.disk(scratch.path)];
    }
    await writeOrFull(host, target, bytes, async () => {
      await convertChain(host, chain, part, { ...options, inOrder: options.disk !== undefined });
      await files.sync(part);
    });
    await checkResult(host, part, image, options.format);
  });
  const status = await files.status(target);
  return { size: status?.size ?? 0, allocated: status?.allocated ?? 0 };
}

/** On a full disk a tool of QEMU can end well and leave nothing: only the file itself proves that it is there. */
async function checkResult(host: Host, part: string, image: Image, format: ExportFormat): Promise<void> {
  const size = image.config['dev.ingot.image'].disk.size;
  const written = format === 'raw' ? (await host.files.status(part))?.size : (await readQcow2Header(host.files, part)).virtualSize;
  if (written !== size)
    throw new IngotError('verification', 'export-incomplete', `The exported disk has ${written ?? 0} bytes instead of ${size}`, {
      hint: 'Check the image with `ingot image verify`, then export it again.',
    });
}

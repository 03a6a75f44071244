import { basename, dirname, extname, join } from 'node:path';
import { IngotError, nearest, systemErrorCode } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isLocked } from '../base/lock.ts';
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
  const folder = dirname(target);
  if ((await files.status(folder)) === undefined)
    throw new IngotError('not-found', 'folder-missing', `There is no folder ${folder}`, { hint: 'Make it first.' });
  const there = await files.status(target);
  if (there !== undefined && (there.kind === 'directory' || !options.force)) throw fileExists(target, there.kind === 'directory');
  await removeDeadParts(host, home, target);

  // The scratch folder's lock says for how long the temporary file has an owner.
  await using scratch = await makeScratch(host, home, `exporting to ${target}`);
  const part = partName(target, basename(scratch.path));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => files.remove(part));
  const bytes = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  await writeOrFull(host, target, bytes, async () => {
    await convertChain(host, layerPaths(home, image), part, options);
    await files.sync(part);
  });
  await checkResult(host, part, image, options.format);
  await publish(host, part, target, options.force);
  await files.sync(folder);
  const status = await files.status(target);
  return { size: status?.size ?? 0, allocated: status?.allocated ?? 0 };
}

function partName(target: string, id: string): string {
  return join(dirname(target), `.${basename(target)}.${id}.part`);
}

/** What killed exports to the same target left. */
async function removeDeadParts(host: Host, home: Home, target: string): Promise<void> {
  const [before, after] = [`.${basename(target)}.`, '.part'];
  for (const name of await host.files.list(dirname(target))) {
    const id = name.startsWith(before) && name.endsWith(after) ? name.slice(before.length, -after.length) : '';
    if (/^[0-9a-f]{12}$/.test(id) && !isLocked(home, `run-${id}`)) await host.files.remove(join(dirname(target), name));
  }
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

async function publish(host: Host, part: string, target: string, force: boolean): Promise<void> {
  if (force) {
    await host.files.rename(part, target);
    return;
  }
  try {
    // A link, unlike a rename, never replaces a file that came meanwhile.
    await host.files.link(part, target);
    await host.files.remove(part);
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') throw fileExists(target, false);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemErrorCode(error) ?? '')) throw error;
    await host.files.rename(part, target); // a filesystem without links
  }
}

function fileExists(path: string, isFolder: boolean): IngotError {
  return new IngotError('conflict', 'file-exists', isFolder ? `${path} is a folder` : `${path} exists already`, {
    hint: isFolder ? 'Give the name of a file.' : 'Give another name, or --force to replace it.',
  });
}

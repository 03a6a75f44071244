import { basename } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { FileDigests } from '../base/file-digests.ts';
import type { FileStatus } from '../base/files.ts';
import { keyOf } from '../base/hash.ts';
import { takeLock } from '../base/lock.ts';
import { fetchLargeFile } from '../base/transfer/large-file.ts';
import { hexOf, parseDigest, parseName, type Digest, type HostPath, type Key, type Name } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { openStore } from '../store/store.ts';
import type { Base } from '../template/template.ts';
import { isTaken, takeIn } from './take-in.ts';

/** Version of how disks are taken in. */
const FORMAT = 1;

/** The key of a layer that is a disk: the same bytes, wherever they are from, are the same layer. */
export function diskKey(digest: Digest): Key {
  return keyOf({ format: FORMAT, source: 'disk', sha256: hexOf(digest) });
}

export type DiskBase = Extract<Base, { kind: 'file' | 'url' }>;

/**
 * The image of the store that a disk of the user, or one that is downloaded, has become, as `name:tag`: the file's name, and `file-` with the
 * beginning of its SHA-256. Taken in at the first use: checked, copied into a qcow2 of ingot's own, opened in the helper VM, and read; after that nothing
 * is opened. `name` is another name than the file's. Throws `disk-unknown`, `qcow2-invalid`, `distribution-unsupported`, `arch-unsupported`, `offline-missing`, and what downloading throws.
 */
export async function storedDisk(context: Context, base: DiskBase, options: { readonly offline: boolean; readonly name?: Name }): Promise<string> {
  const { host, home } = context;
  const before = base.kind === 'file' ? await host.files.status(base.path) : undefined;
  const digest = base.kind === 'url' ? parseDigest(`sha256:${base.sha256.toLowerCase()}`) : await digestOf(context, base.path, before);
  const name = options.name ?? nameOf(base);
  const key = diskKey(digest);
  const tag = `file-${hexOf(digest).slice(0, 12)}`;
  const reference = `${name}:${tag}`;
  if (await isTaken(context, reference, key)) return reference;
  await using _lock = await takeLock(host, home, `disk-${hexOf(digest).slice(0, 16)}`, {
    what: `taking ${name} into the store`,
    signal: context.signal,
    onWait: () => context.events.message('info', `Waiting for another command that takes ${name} into the store.`),
  });
  if (await isTaken(context, reference, key)) return reference;
  await context.events.stage(`${name} into the store`, async (span) => {
    const path = base.kind === 'file' ? base.path : await download(context, base.url, digest, options.offline, span);
    await takeIn(context, { path, digest, key, name, tag, vouched: false, offline: options.offline });
    if (base.kind === 'url') await host.files.remove(path);
    else if ((await host.files.status(path))?.version !== before?.version) {
      await openStore(host, home).remove(reference, new Map());
      throw new IngotError('conflict', 'input-changed', `${path} changed while it was read`, { hint: 'Run the same command again.' });
    }
  });
  return reference;
}

async function digestOf({ host, home }: Context, path: HostPath, status: FileStatus | undefined): Promise<Digest> {
  if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no ${path}`);
  const digests = await FileDigests.open(host, home);
  const hex = await digests.of(path, status);
  await digests.save();
  return parseDigest(`sha256:${hex}`);
}

/** The file's name without what says its format, as a name of an image. */
function nameOf(base: DiskBase): Name {
  const file = base.kind === 'file' ? base.path : new URL(base.url).pathname;
  const stem = basename(file)
    .replace(/\.(gz|xz|zst|bz2)$/i, '')
    .replace(/\.(qcow2|img|raw|disk|vmdk|ova|vhd|vhdx)$/i, '');
  return imageName(stem, 'disk');
}

/** What others call a disk, as a name of an image; `otherwise` where nothing of it can be one. */
export function imageName(text: string, otherwise: string): Name {
  const name = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .slice(0, 63)
    .replaceAll(/^[.-]+|[.-]+$/g, '');
  return parseName(name === '' ? otherwise : name, 'an image');
}

/** No disk of a template is larger. */
const MOST_DISK = 2 ** 40;

async function download({ host, home, signal, events }: Context, url: string, digest: Digest, offline: boolean, span: Span): Promise<HostPath> {
  const file = { urls: [url], limit: MOST_DISK, digest: { algorithm: 'sha256', hex: hexOf(digest) } } as const;
  const { path } = await fetchLargeFile(host, home, file, {
    offline,
    signal,
    onProgress: (done, total) => span.progress(done, total, 'bytes'),
    onMessage: (level, text) => events.message(level, text),
  });
  return path;
}

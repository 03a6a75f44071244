import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { IngotError, isOutOfSpace } from '../base/errors.ts';
import { replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { takeLock } from '../base/lock.ts';
import { formatSize, parseDigest, type Digest } from '../base/types.ts';
import { indexPath, writeIndex, type IndexEntry } from './index-file.ts';

/** What a folder or a file of one line takes on a disk. */
const SMALL = 4096;

/** Name of a temporary file of `replaceFile`: seen under the lock, its writer is dead. */
const LEFTOVER = /\.tmp-\d+-\d+$/;

/**
 * Does the work while nobody else changes the store. The layout is made where it is missing, and what a killed writer left
 * half-written is removed first.
 */
export async function changeStore<T>(host: Host, home: Home, what: string, work: () => Promise<T>): Promise<T> {
  await using _lock = await writeOrFull(host, join(home.locks, 'store.lock'), SMALL, async () => {
    await host.files.makeDirectory(home.locks);
    return await takeLock(host, home, 'store', { what });
  });
  const marker = join(home.store, 'oci-layout');
  if ((await host.files.status(marker)) === undefined) {
    await writeOrFull(host, marker, SMALL, async () => {
      await host.files.makeDirectory(home.blobs);
      await host.files.makeDirectory(home.layers);
      await replaceFile(host.files, marker, LAYOUT_MARKER);
    });
  }
  await removeLeftovers(host, home);
  return await work();
}

/** Content of the file `oci-layout` (image-spec v1.1). */
export const LAYOUT_MARKER = '{"imageLayoutVersion":"1.0.0"}\n';

async function removeLeftovers(host: Host, home: Home): Promise<void> {
  for (const folder of [home.store, home.layers, home.blobs]) {
    for (const name of await host.files.list(folder)) {
      if (LEFTOVER.test(name)) await host.files.remove(join(folder, name));
    }
  }
}

/** The digest of bytes in memory. */
export function digestOf(data: string | Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(data).digest('hex')}`);
}

/** Replaces the index; a full disk names the folder and the bytes. */
export async function saveIndex(host: Host, home: Home, entries: readonly IndexEntry[]): Promise<void> {
  await writeOrFull(host, indexPath(home), 2 * JSON.stringify(entries).length, () => writeIndex(host, home, entries));
}

/** Writes a small blob, whole or not at all; the same bytes again repair it. */
export async function writeBlob(host: Host, home: Home, text: string): Promise<{ readonly digest: Digest; readonly size: number }> {
  const data = Buffer.from(text);
  const digest = digestOf(data);
  await writeOrFull(host, home.blob(digest), data.length, () => replaceFile(host.files, home.blob(digest), data, 0o444));
  return { digest, size: data.length };
}

/**
 * Runs a write, and turns a full disk into `store-full` with the path, the bytes needed and the bytes free: at whichever of write, sync
 * and close it shows.
 */
export async function writeOrFull<T>(host: Pick<Host, 'files'>, path: string, bytes: number, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isOutOfSpace(error) || (error instanceof IngotError && error.code === 'store-full')) throw error;
    const free = await host.files.freeSpace(dirname(path)).catch(() => undefined);
    throw new IngotError(
      'space',
      'store-full',
      `No space left for ${path}: ${formatSize(bytes)} needed${free === undefined ? '' : `, ${formatSize(free)} free`}`,
      {
        cause: error,
        detail: `bytes needed: ${bytes}`,
        hint: 'Free some space (`ingot image prune` removes what nothing uses), then run the same command again.',
      },
    );
  }
}

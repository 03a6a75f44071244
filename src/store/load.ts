import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, type Digest, type HostPath } from '../base/types.ts';
import { readQcow2Header } from '../disk/qcow2.ts';
import { readArchive } from './archive.ts';
import { withStatement } from './gates.ts';
import { keepHistory } from './images.ts';
import type { IncomingContent, IncomingImage, Invalid } from './incoming.ts';
import { isImage, pointReferences, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { isWhole, layerGone, readLayer } from './layers.ts';
import type { LayerRecord } from './model.ts';
import { PIECE } from './save.ts';
import { archiveInvalid, type TarEntry } from './tar.ts';
import type { LoadOptions, LoadResult } from './types.ts';
import { changeStore, saveIndex, writeOrFull } from './writing.ts';

/** {@link Store.load} */
export async function loadImages(host: Host, home: Home, archive: HostPath, options: LoadOptions = {}): Promise<LoadResult> {
  if ((await host.files.status(archive))?.kind !== 'file') throw new IngotError('not-found', 'file-missing', `${archive} is not a file`);
  const content = await readArchive(host, archive, host.clock.now().toISOString());
  refuseConflicts(content.images, await readIndex(host, home), options);

  await using scratch = await makeScratch(host, home, `loading images from ${archive}`);
  const copied = await copyMissing(host, home, archive, content.blobs, scratch.path, options);
  const at = (digest: Digest): string => (copied.has(digest) ? join(scratch.path, hexOf(digest)) : home.blob(digest));
  const records = options.cache === false ? [] : content.records;
  return await takeIncoming(host, home, { ...content, records }, { copied, at, invalid: archiveInvalid, what: 'loading images', ...options });
}

/** Where blobs are that the store has not, and how what cannot be used is told. */
export interface Taking extends Pick<LoadOptions, 'force'> {
  readonly what: string;
  readonly copied: ReadonlySet<Digest>;
  /** The file of a blob: one that was copied, or the store's own. */
  readonly at: (digest: Digest) => string;
  readonly invalid: Invalid;
}

/**
 * Takes images into the store whose blobs have been proven by their digests: checks what each layer stands on, then moves blobs, records and tags in one
 * step, all or nothing. Throws `tag-exists`, `layer-gone` and what `invalid` makes.
 */
export async function takeIncoming(host: Host, home: Home, content: IncomingContent, taking: Taking): Promise<LoadResult> {
  const { copied, at, invalid } = taking;
  for (const image of content.images) await checkChain(host, image, at, invalid);
  for (const record of content.records) await checkRecord(host, record, at(record.digest));
  return await changeStore(host, home, taking.what, async () => {
    const before = await readIndex(host, home);
    refuseConflicts(content.images, before, taking);
    await takeBlobs(host, home, content.blobs, copied, at);
    const cached = await writeRecords(host, home, content.records);
    let entries: readonly IndexEntry[] = before;
    for (const image of content.images) entries = pointReferences(entries, keepHistory(image.entry, before), image.references);
    for (const { entry, subject } of content.statements) entries = withStatement(entries, entry, subject);
    await saveIndex(host, home, entries);
    return {
      images: content.images.map(({ entry, references }) => ({
        digest: entry.digest,
        references,
        isNew: !before.some((other) => other.digest === entry.digest),
      })),
      blobs: content.blobs.size,
      copied: copied.size,
      bytes: [...copied].reduce((sum, digest) => sum + (content.blobs.get(digest)?.size ?? 0), 0),
      cached,
    };
  });
}

/** A reference that another image has is not taken from it unasked. */
export function refuseConflicts(
  images: readonly Pick<IncomingImage, 'entry' | 'references'>[],
  entries: readonly IndexEntry[],
  { force }: Pick<LoadOptions, 'force'>,
): void {
  if (force === true) return;
  const wanted = new Map(images.flatMap(({ entry, references }) => references.map((reference) => [reference, entry.digest] as const)));
  const taken = entries.filter((entry) => {
    const digest = wanted.get(referenceOf(entry) ?? '');
    return isImage(entry) && digest !== undefined && digest !== entry.digest;
  });
  if (taken.length === 0) return;
  const names = taken.map(referenceOf).join(', ');
  throw new IngotError('conflict', 'tag-exists', `The store has ${taken.length === 1 ? 'another image' : 'other images'} as ${names}`, {
    hint: 'Give --force to move the tags to the images that come, or give the images here other tags first with `ingot image tag`.',
  });
}

/** Copies what the store does not have, or has damaged, into the scratch folder; every blob is read and its digest proven, here or there. */
export async function copyMissing(
  host: Host,
  home: Home,
  archive: string,
  blobs: ReadonlyMap<Digest, TarEntry>,
  scratch: string,
  options: LoadOptions,
): Promise<Set<Digest>> {
  const copied = new Set<Digest>();
  const total = [...blobs.values()].reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  for (const [digest, entry] of blobs) {
    const onRead = (bytes: number): void => {
      options.signal?.throwIfAborted();
      options.onProgress?.(done + bytes, total);
    };
    if (!(await isProven(host, home, { digest, size: entry.size }, onRead))) {
      const file = join(scratch, hexOf(digest));
      await writeOrFull(host, file, entry.size, () => copyBlob(host, archive, entry, digest, file, onRead));
      copied.add(digest);
    }
    done += entry.size;
  }
  return copied;
}

async function isProven(host: Host, home: Home, blob: { readonly digest: Digest; readonly size: number }, onRead: (bytes: number) => void): Promise<boolean> {
  if (!(await isWhole(host, home, blob))) return false;
  return (await host.files.sha256(home.blob(blob.digest), onRead)).hex === hexOf(blob.digest);
}

async function copyBlob(host: Host, archive: string, entry: TarEntry, digest: Digest, file: string, onRead: (bytes: number) => void): Promise<void> {
  const { files } = host;
  const hash = createHash('sha256');
  await files.write(file, '', { exclusive: true });
  for (let done = 0; done < entry.size;) {
    const piece = await files.readPart(archive, entry.position + done, Math.min(PIECE, entry.size - done));
    if (piece.length === 0) throw archiveInvalid('it is cut off');
    hash.update(piece);
    await files.append(file, piece);
    done += piece.length;
    onRead(done);
  }
  if (hash.digest('hex') !== hexOf(digest)) throw archiveInvalid(`the bytes of ${digest} have changed`);
  await files.sync(file);
  await files.setMode(file, 0o444);
}

/** Each layer's header must say that it stands on the layer below, and nothing else of the host. */
async function checkChain(host: Host, image: IncomingImage, at: (digest: Digest) => string, invalid: Invalid): Promise<void> {
  for (const [i, { digest }] of image.manifest.layers.entries()) await checkLayer(host, at(digest), digest, image.manifest.layers[i - 1]?.digest, invalid);
}

/** A layer's header must say that it stands on this one, and hold no snapshots. Returns the bytes of its disk. Throws what `invalid` makes. */
export async function checkLayer(host: Host, path: string, digest: Digest, below: Digest | undefined, invalid: Invalid): Promise<number> {
  const { backing, snapshots, virtualSize } = await headerOf(host, path, digest, invalid);
  const stands = below === undefined ? backing === undefined : backing?.name === hexOf(below) && backing.format === 'qcow2';
  if (!stands) throw invalid(`the layer ${digest} says that it stands on ${backing?.name ?? 'nothing'}, and should say ${below ?? 'nothing'}`);
  if (snapshots !== 0) throw invalid(`the layer ${digest} holds internal snapshots`);
  return virtualSize;
}

async function checkRecord(host: Host, record: LayerRecord, path: string): Promise<void> {
  const { virtualSize } = await headerOf(host, path, record.digest);
  if (virtualSize !== record.virtualSize)
    throw archiveInvalid(`the record of the layer ${record.name} says ${record.virtualSize} bytes of disk, and the layer ${virtualSize}`);
}

/** The header of a layer; throws what `invalid` makes where it is none. */
export async function headerOf(host: Host, path: string, digest: Digest, invalid: Invalid = archiveInvalid) {
  try {
    return await readQcow2Header(host.files, path);
  } catch (error) {
    if (error instanceof IngotError && error.code === 'qcow2-invalid') throw invalid(`the layer ${digest}: ${error.message}`);
    throw error;
  }
}

/** Moves copied blobs to their places. The caller holds the store's lock. Throws `layer-gone` where one that was there is not any more. */
export async function takeBlobs(
  host: Host,
  home: Home,
  blobs: ReadonlyMap<Digest, { readonly size: number }>,
  copied: ReadonlySet<Digest>,
  at: (digest: Digest) => string,
): Promise<void> {
  for (const [digest, { size }] of blobs) {
    if (copied.has(digest)) await host.files.rename(at(digest), home.blob(digest));
    // Another command removed what was there a moment ago.
    else if (!(await isWhole(host, home, { digest, size }))) throw layerGone(digest);
  }
  await writeOrFull(host, home.blobs, 0, () => host.files.sync(home.blobs));
}

/** Adds records of layers that the cache does not know; what it knows stays. Returns how many were added. The caller holds the store's lock. */
export async function writeRecords(host: Host, home: Home, records: readonly LayerRecord[]): Promise<number> {
  let added = 0;
  for (const record of records) {
    if ((await readLayer(host, home, record.key)) !== undefined) continue;
    const text = JSON.stringify(record);
    await writeOrFull(host, home.layer(record.key), text.length, () => replaceFile(host.files, home.layer(record.key), text));
    added += 1;
  }
  return added;
}

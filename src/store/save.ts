import { createHash } from 'node:crypto';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { writeOutFile } from '../base/out-file.ts';
import { hexOf, type Digest, type HostPath } from '../base/types.ts';
import { findEntry, readImage } from './images.ts';
import { isImage, readIndex, type IndexEntry } from './index-file.ts';
import { layerGone, readLayer } from './layers.ts';
import { damaged, manifestSchema, readJsonBlob } from './manifest.ts';
import { ANNOTATIONS, MEDIA_TYPES, type LayerRecord } from './model.ts';
import { parseReference } from './reference.ts';
import { TAR_END, tarHeader, tarPadding } from './tar.ts';
import type { SaveOptions, SaveResult } from './types.ts';
import { LAYOUT_MARKER, writeOrFull } from './writing.ts';

/** The file in an archive that holds the layer cache's records; the rest is an OCI image layout. */
export const RECORDS_FILE = 'ingot-layers.json';

/** The file that makes an archive a backup of the registry: all but the layers. */
export const BACKUP_FILE = 'ingot-backup.json';

/** Read and written at once: large enough that opening the file each time costs nothing beside it. */
export const PIECE = 4 * 2 ** 20;

/** {@link Store.save} */
export async function saveImages(host: Host, home: Home, references: readonly string[], target: HostPath, options: SaveOptions): Promise<SaveResult> {
  const content = await contentOf(host, home, references);
  const size = await writeArchive(host, home, target, content, { ...options, what: `saving images to ${target}` });
  return { images: content.images, blobs: content.blobs.size, size };
}

/** Writes an archive of small files and blobs, each blob proven by its digest on the way. Returns its bytes. Throws `file-exists`, `layer-gone`, `image-damaged`. */
export async function writeArchive(
  host: Host,
  home: Home,
  target: HostPath,
  content: Pick<Content, 'texts' | 'blobs'>,
  options: SaveOptions & { readonly what: string },
): Promise<number> {
  const bytes = [...content.blobs.values()].reduce((sum, size) => sum + size, 0);
  await writeOutFile(host, home, target, { force: options.force === true, what: options.what }, (part) =>
    writeOrFull(host, target, bytes, async () => {
      await host.files.write(part, '');
      for (const [name, text] of Object.entries(content.texts)) {
        const data = Buffer.from(text);
        await host.files.append(part, Buffer.concat([tarHeader(name, data.length), data, tarPadding(data.length)]));
      }
      let done = 0;
      for (const [digest, size] of content.blobs) {
        await appendBlob(host, home, part, { digest, size }, (read) => {
          options.signal?.throwIfAborted();
          options.onProgress?.(done + read, bytes);
        });
        done += size;
      }
      await host.files.append(part, TAR_END);
      await host.files.sync(part);
    }),
  );
  return (await host.files.status(target))?.size ?? 0;
}

interface Content {
  readonly images: readonly { readonly digest: Digest; readonly references: readonly string[] }[];
  /** Small files by name. */
  readonly texts: Readonly<Record<string, string>>;
  /** Digest -> bytes, small blobs first. */
  readonly blobs: ReadonlyMap<Digest, number>;
}

/** What goes into the archive: the images as they were named, the statements about them, and what the cache knows of their layers. */
async function contentOf(host: Host, home: Home, references: readonly string[]): Promise<Content> {
  const index = await readIndex(host, home);
  const entries = new Set<IndexEntry>();
  const small = new Map<Digest, number>();
  const layers = new Map<Digest, number>();
  const records = new Map<string, LayerRecord>();
  const addManifest = async (entry: IndexEntry): Promise<void> => {
    const manifest = await readJsonBlob(host, home, entry, manifestSchema);
    small.set(entry.digest, entry.size).set(manifest.config.digest, manifest.config.size);
    for (const layer of manifest.layers) (layer.mediaType === MEDIA_TYPES.layer ? layers : small).set(layer.digest, layer.size);
  };
  for (const reference of references) {
    const entry = findEntry(index, reference);
    const image = await readImage(host, home, index, entry);
    await addManifest(entry);
    const same = index.filter((other) => isImage(other) && other.digest === entry.digest);
    for (const one of parseReference(reference).hex === undefined ? [entry] : same) entries.add(one);
    for (const statement of index.filter((other) => other.annotations[ANNOTATIONS.subject] === entry.digest)) {
      entries.add(statement);
      await addManifest(statement);
    }
    for (const [i, { key }] of image.config['dev.ingot.image'].layers.entries()) {
      const record = await readLayer(host, home, key);
      if (record !== undefined && record.digest === image.layers[i]?.digest) records.set(key, record);
    }
  }
  const images = Map.groupBy([...entries].filter(isImage), (entry) => entry.digest);
  return {
    images: [...images].map(([digest, same]) => ({ digest, references: same.flatMap((entry) => entry.annotations[ANNOTATIONS.reference] ?? []).toSorted() })),
    texts: {
      'oci-layout': LAYOUT_MARKER,
      'index.json': `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [...entries] })}\n`,
      [RECORDS_FILE]: `${JSON.stringify({ v: 1, records: [...records.values()] })}\n`,
    },
    blobs: new Map([...small, ...layers]),
  };
}

/** Copies a blob piece by piece, and proves its digest as it goes: an archive never holds what is damaged. */
async function appendBlob(
  host: Host,
  home: Home,
  part: string,
  blob: { readonly digest: Digest; readonly size: number },
  onRead: (bytes: number) => void,
): Promise<void> {
  const path = home.blob(blob.digest);
  await host.files.append(part, tarHeader(`blobs/sha256/${hexOf(blob.digest)}`, blob.size));
  const hash = createHash('sha256');
  try {
    for (let position = 0; position < blob.size;) {
      const piece = await host.files.readPart(path, position, Math.min(PIECE, blob.size - position));
      if (piece.length === 0) throw damaged(path, `it has ${position} bytes instead of ${blob.size}`);
      hash.update(piece);
      await host.files.append(part, piece);
      position += piece.length;
      onRead(position);
    }
  } catch (error) {
    if (!(error instanceof IngotError) && systemErrorCode(error) === 'ENOENT') throw layerGone(blob.digest);
    throw error;
  }
  if (hash.digest('hex') !== hexOf(blob.digest)) throw damaged(path, 'its bytes have changed');
  await host.files.append(part, tarPadding(blob.size));
}

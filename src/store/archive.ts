import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { hexOf, type Digest } from '../base/types.ts';
import { checkImageManifest, incomingImage, type IncomingContent, type IncomingImage, type IncomingStatement } from './incoming.ts';
import { parseIndex, type IndexEntry } from './index-file.ts';
import { manifestSchema, type Manifest } from './manifest.ts';
import { ANNOTATIONS, imageConfigSchema, layerRecordSchema, MEDIA_TYPES, type Descriptor, type LayerRecord } from './model.ts';
import { parseNameTag } from './reference.ts';
import { BACKUP_FILE, RECORDS_FILE } from './save.ts';
import { isStatement, kindOf, parseStatement, statementEntry } from './statements.ts';
import { archiveInvalid, readTar, type TarEntry } from './tar.ts';
import { digestOf } from './writing.ts';

/** An image in an archive, its small parts proven by their digests. */
export type ArchiveImage = IncomingImage;
/** A statement about an image of the archive. */
export type ArchiveStatement = IncomingStatement;

export interface ArchiveContent extends IncomingContent {
  /** Every blob that these need: digest -> where it is in the file. Layers are not read yet, and are not in a backup. */
  readonly blobs: ReadonlyMap<Digest, TarEntry>;
}

/** Bytes of the largest JSON file that is read: many times what a fleet of images needs. */
const LARGEST = { index: 16 * 2 ** 20, manifest: 4 * 2 ** 20, other: 64 * 2 ** 20, records: 256 * 2 ** 20 } as const;

const recordsSchema = z.object({ v: z.literal(1), records: z.array(layerRecordSchema) });
const layoutSchema = z.object({ imageLayoutVersion: z.literal('1.0.0') });
/** What {@link BACKUP_FILE} holds. */
const backupSchema = z.object({ v: z.literal(1), created: z.iso.datetime() });

/**
 * Reads what an archive says that it holds: an OCI image layout in a tar file, of ingot or of a tool that copies images (`oci-archive`). Manifests,
 * configs and statements are proven by digest, and must fit each other; layers are only looked for. `now` stands for a missing time. Throws
 * `archive-invalid`.
 */
export async function readArchive(host: Host, path: string, now: string): Promise<ArchiveContent> {
  const entries = await readTar(host.files, path);
  if (entries.has(BACKUP_FILE)) throw archiveInvalid('it is a backup, which holds no layers: `ingot image restore` reads it');
  const content = await new Reader(host, path, entries, { layers: true }).content(now);
  return { ...content, images: content.images.map(named) };
}

/** A backup: the same without layers; images may have no reference, and records may be of layers that no image has. */
export interface BackupContent extends ArchiveContent {
  /** When the backup was made. */
  readonly created: string;
}

/** Reads a backup of the registry as {@link readArchive} reads an archive. Throws `archive-invalid`. */
export async function readBackup(host: Host, path: string, now: string): Promise<BackupContent> {
  const entries = await readTar(host.files, path);
  if (!entries.has(BACKUP_FILE)) throw archiveInvalid('it is no backup: `ingot image load` reads archives of images');
  const reader = new Reader(host, path, entries, { layers: false });
  const { created } = await reader.json(BACKUP_FILE, backupSchema, LARGEST.manifest);
  return { ...(await reader.content(now)), created };
}

class Reader {
  readonly #host: Host;
  readonly #path: string;
  readonly #entries: ReadonlyMap<string, TarEntry>;
  readonly #blobs = new Map<Digest, TarEntry>();
  /** Whether the images' layers have to be in it. */
  readonly #layers: boolean;

  constructor(host: Host, path: string, entries: ReadonlyMap<string, TarEntry>, { layers }: { readonly layers: boolean }) {
    this.#host = host;
    this.#path = path;
    this.#entries = entries;
    this.#layers = layers;
  }

  async content(now: string): Promise<ArchiveContent> {
    await this.json('oci-layout', layoutSchema, LARGEST.manifest);
    const descriptors = await this.#index();
    const images = new Map<Digest, ArchiveImage>();
    const statements: IndexEntry[] = [];
    for (const entry of descriptors) {
      if (entry.mediaType !== MEDIA_TYPES.manifest) throw archiveInvalid(`${entry.digest} is no image (${entry.mediaType})`);
      const manifest = await this.#blobJson(entry, manifestSchema, LARGEST.manifest);
      if (manifest.subject !== undefined) statements.push(entry);
      else {
        const image = images.get(entry.digest) ?? (await this.#image(entry, manifest, now));
        const reference = referenceIn(entry.annotations[ANNOTATIONS.reference]);
        images.set(entry.digest, { ...image, references: [...image.references, ...(reference === undefined ? [] : [reference])] });
      }
    }
    if (this.#layers && images.size === 0) throw archiveInvalid('it holds no image');
    const proven = await Promise.all(statements.map((entry) => this.#statement(entry, images)));
    return { images: [...images.values()], statements: proven, records: await this.#records([...images.values()]), blobs: this.#blobs };
  }

  async #index(): Promise<IndexEntry[]> {
    const text = Buffer.from(await this.#read('index.json', LARGEST.index)).toString('utf8');
    try {
      return parseIndex(text, 'index.json');
    } catch (error) {
      throw archiveInvalid(error instanceof IngotError ? error.message : String(error));
    }
  }

  async #image(entry: IndexEntry, manifest: Manifest, now: string): Promise<ArchiveImage> {
    checkImageManifest(entry.digest, manifest, archiveInvalid);
    const config = await this.#blobJson(manifest.config, imageConfigSchema, LARGEST.other);
    const image = incomingImage(entry, manifest, config, now, archiveInvalid);
    if (this.#layers) for (const layer of manifest.layers) this.#find(layer);
    return image;
  }

  /** Only statements about images of the archive, of a kind that ingot knows, are taken; their entry is made anew from what they say. */
  async #statement(entry: IndexEntry, images: ReadonlyMap<Digest, ArchiveImage>): Promise<ArchiveStatement> {
    const manifest = await this.#blobJson(entry, manifestSchema, LARGEST.manifest);
    const kind = kindOf(manifest.annotations);
    const content = manifest.layers[0];
    if (kind === undefined || content === undefined || !isStatement(manifest, kind) || !images.has(manifest.subject.digest))
      throw archiveInvalid(`${entry.digest} is no statement about an image in it`);
    const subject = manifest.subject.digest;
    await this.#read(this.#find(manifest.config).name, LARGEST.manifest, manifest.config.digest);
    const value = await this.#blobJson(content, z.unknown(), LARGEST.other);
    const blobs = [entry.digest, manifest.config.digest, content.digest];
    try {
      return { subject, blobs, entry: statementEntry(entry, subject, parseStatement(kind, value), manifest.annotations) };
    } catch (error) {
      throw archiveInvalid(`${content.digest} does not hold what it should: ${error instanceof z.ZodError ? z.prettifyError(error) : String(error)}`);
    }
  }

  /** The records of layers; each must be of a layer in the archive, under its key, on the layer below it. Of a backup, only the store can tell. */
  async #records(images: readonly ArchiveImage[]): Promise<LayerRecord[]> {
    if (!this.#entries.has(RECORDS_FILE)) return [];
    const { records } = await this.json(RECORDS_FILE, recordsSchema, LARGEST.records);
    if (!this.#layers) return records;
    const places = new Set(
      images.flatMap(({ manifest, config }) =>
        manifest.layers.map(({ digest, size }, i) => placeOf(config['dev.ingot.image'].layers[i]?.key, digest, size, manifest.layers[i - 1]?.digest)),
      ),
    );
    for (const record of records) {
      if (!places.has(placeOf(record.key, record.digest, record.size, record.parent)))
        throw archiveInvalid(`the record of the layer ${record.name} (key ${record.key}) fits no image in it`);
    }
    return records;
  }

  #find(blob: Pick<Descriptor, 'digest' | 'size'>): TarEntry {
    const entry = this.#entries.get(`blobs/sha256/${hexOf(blob.digest)}`);
    if (entry === undefined) throw archiveInvalid(`the blob ${blob.digest} is missing`);
    if (entry.size !== blob.size) throw archiveInvalid(`the blob ${blob.digest} has ${entry.size} bytes instead of ${blob.size}`);
    this.#blobs.set(blob.digest, entry);
    return entry;
  }

  async #blobJson<S extends z.ZodType>(blob: Pick<Descriptor, 'digest' | 'size'>, schema: S, limit: number): Promise<z.output<S>> {
    return await this.json(this.#find(blob).name, schema, limit, blob.digest);
  }

  /** A JSON file of the archive, checked. */
  async json<S extends z.ZodType>(name: string, schema: S, limit: number, digest?: Digest): Promise<z.output<S>> {
    const bytes = await this.#read(name, limit, digest);
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(bytes).toString('utf8'));
    } catch {
      throw archiveInvalid(`${name} is not JSON`);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw archiveInvalid(`${name} does not hold what it should: ${z.prettifyError(parsed.error)}`);
    return parsed.data;
  }

  async #read(name: string, limit: number, digest?: Digest): Promise<Uint8Array> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw archiveInvalid(`${name} is missing`);
    if (entry.size > limit) throw archiveInvalid(`${name} has ${entry.size} bytes`);
    const bytes = await this.#host.files.readPart(this.#path, entry.position, entry.size);
    if (bytes.length !== entry.size) throw archiveInvalid('it is cut off');
    if (digest !== undefined && digestOf(bytes) !== digest) throw archiveInvalid(`the bytes of ${digest} have changed`);
    return bytes;
  }
}

function placeOf(key: string | undefined, digest: Digest, size: number, parent: Digest | undefined): string {
  return [key, digest, size, parent].join(' ');
}

/** `name:tag` as an archive says it; other tools write what they like, and then it has none. */
function referenceIn(text: string | undefined): string | undefined {
  try {
    if (text === undefined) return undefined;
    const { name, tag } = parseNameTag(text);
    return `${name}:${tag}`;
  } catch {
    return undefined;
  }
}

/** An image that came without a reference gets its name and the first digits of its digest, so that it can be found and is not pruned. */
function named(image: ArchiveImage): ArchiveImage {
  if (image.references.length > 0) return { ...image, references: [...new Set(image.references)].toSorted() };
  return { ...image, references: [`${image.entry.annotations[ANNOTATIONS.name]}:${hexOf(image.entry.digest).slice(0, 12)}`] };
}

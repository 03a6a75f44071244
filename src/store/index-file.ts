import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isDigest, type Digest } from '../base/types.ts';
import { ANNOTATIONS, MEDIA_TYPES } from './media.ts';

/*
 * index.json: the one file that says what the store holds. It is replaced by rename, so that a reader sees the old or the new
 * list. It is checked by hand and not with zod: a listing of 1,000 images must not be felt.
 */

/** A descriptor in index.json: an image under one reference, an image without one, or a statement about an image. */
export interface IndexEntry {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export function indexPath(home: Home): string {
  return join(home.store, 'index.json');
}

/** A copy of index.json, from which `image verify --repair` puts it back: the references are nowhere else. */
export function indexCopyPath(home: Home): string {
  return join(home.store, 'index.copy.json');
}

/** The entries of index.json; none where there is no store yet. Throws `store-damaged` on anything that is not an index. */
export async function readIndex(host: Pick<Host, 'files'>, home: Home): Promise<IndexEntry[]> {
  const path = indexPath(home);
  const text = await readTextIfThere(host.files, path);
  return text === undefined ? [] : parseIndex(text, path);
}

/** Parses the text of an index; `path` is for the message. Throws `store-damaged`. */
export function parseIndex(text: string, path: string): IndexEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw indexDamaged(path, 'it is not JSON', error);
  }
  if (!isRecord(value) || value['schemaVersion'] !== 2 || !Array.isArray(value['manifests'])) throw indexDamaged(path, 'it is not an OCI image index');
  return value['manifests'].map((entry: unknown, position) => {
    const checked = checkEntry(entry);
    if (checked === undefined) throw indexDamaged(path, `its entry ${position + 1} is not a descriptor`);
    return checked;
  });
}

/** Replaces index.json, and then its copy. The caller holds the store's lock. */
export async function writeIndex(host: Pick<Host, 'files'>, home: Home, entries: readonly IndexEntry[]): Promise<void> {
  const text = `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: entries })}\n`;
  await replaceFile(host.files, indexPath(home), text);
  await replaceFile(host.files, indexCopyPath(home), text);
}

/** Whether the entry is an image, and not a statement or what another tool put into the layout. */
export function isImage(entry: IndexEntry): boolean {
  return (
    entry.mediaType === MEDIA_TYPES.manifest && entry.annotations[ANNOTATIONS.config] !== undefined && entry.annotations[ANNOTATIONS.subject] === undefined
  );
}

/** `name:tag` of an entry, where it has one. */
export function referenceOf(entry: IndexEntry): string | undefined {
  return entry.annotations[ANNOTATIONS.reference];
}

/**
 * The index in which the references point to an image, and to nothing else. An image that loses its last reference stays, without one:
 * VMs can stand on it, and `image prune` takes it. Without references the image is added untagged, unless it is there.
 */
export function pointReferences(entries: readonly IndexEntry[], image: IndexEntry, references: readonly string[]): IndexEntry[] {
  const moved = new Set(references);
  const kept: IndexEntry[] = [];
  const bare = new Map<Digest, IndexEntry>();
  const tagged = new Set<Digest>(references.length > 0 ? [image.digest] : []);
  for (const entry of entries) {
    const reference = referenceOf(entry);
    if (!isImage(entry)) kept.push(entry);
    else if (reference === undefined || moved.has(reference)) bare.set(entry.digest, withoutReference(entry));
    else {
      tagged.add(entry.digest);
      kept.push(entry.digest === image.digest ? { ...image, annotations: { ...image.annotations, ...namesOf(entry) } } : entry);
    }
  }
  if (references.length === 0) bare.set(image.digest, withoutReference(image));
  for (const [digest, entry] of bare) if (!tagged.has(digest)) kept.push(entry);
  for (const reference of moved) {
    kept.push({ ...image, annotations: { ...image.annotations, [ANNOTATIONS.reference]: reference, [ANNOTATIONS.name]: nameOfReference(reference) } });
  }
  return kept;
}

/** The part of `name:tag` before the colon. */
export function nameOfReference(reference: string): string {
  const colon = reference.lastIndexOf(':');
  return colon === -1 ? reference : reference.slice(0, colon);
}

function namesOf(entry: IndexEntry): Record<string, string> {
  return Object.fromEntries(
    [ANNOTATIONS.reference, ANNOTATIONS.name].flatMap((key) => (entry.annotations[key] === undefined ? [] : [[key, entry.annotations[key]]])),
  );
}

/** The same image, without a reference. */
export function withoutReference(entry: IndexEntry): IndexEntry {
  const { [ANNOTATIONS.reference]: _, ...annotations } = entry.annotations;
  return { ...entry, annotations };
}

const NO_ANNOTATIONS: Readonly<Record<string, string>> = {};

function checkEntry(value: unknown): IndexEntry | undefined {
  if (!isRecord(value)) return undefined;
  const { mediaType, digest, size, artifactType, annotations = NO_ANNOTATIONS } = value;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || !isTexts(annotations)) return undefined;
  if (artifactType !== undefined && typeof artifactType !== 'string') return undefined;
  // Spread first: what another tool wrote beside the known fields stays.
  return { ...value, mediaType, digest, size, annotations, ...(artifactType === undefined ? {} : { artifactType }) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is Record<string, string> {
  if (!isRecord(value)) return false;
  for (const key in value) if (typeof value[key] !== 'string') return false;
  return true;
}

function indexDamaged(path: string, why: string, cause?: unknown): IngotError {
  return new IngotError('verification', 'store-damaged', `The store's index ${path} cannot be read: ${why}`, {
    hint: 'Run `ingot image verify --repair`: it puts the index back from its copy.',
    ...(cause === undefined ? {} : { cause }),
  });
}

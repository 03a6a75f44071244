import { IngotError, nearest } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { hexOf, type Digest, type Name } from '../base/types.ts';
import { newestGate } from './gates.ts';
import { isImage, nameOfReference, pointReferences, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { isWhole, layerGone } from './layers.ts';
import { damaged, imageParts, manifestSchema, readJsonBlob } from './manifest.ts';
import { ANNOTATIONS, imageConfigSchema, type Image, type ImageConfig, type LayerRecord } from './model.ts';
import { parseNameTag, parseReference, parseTag } from './reference.ts';
import { changeStore, saveIndex, writeBlob } from './writing.ts';

/** {@link Store.putImage} */
export async function putImage(
  host: Host,
  home: Home,
  config: ImageConfig,
  layers: readonly LayerRecord[],
  name: Name,
  tags: readonly string[],
): Promise<Image> {
  const parts = imageParts(config, layers, name, host.clock.now().toISOString());
  const references = tags.map((tag) => `${name}:${parseTag(tag)}`);
  return await changeStore(host, home, `storing image ${name}`, async () => {
    for (const layer of layers) if (!(await isWhole(host, home, layer))) throw layerGone(layer.digest);
    const entries = await readIndex(host, home);
    await writeBlob(host, home, parts.config);
    await writeBlob(host, home, parts.manifest);
    const entry = keepHistory(parts.entry, entries);
    const next = pointReferences(entries, entry, references);
    await saveIndex(host, home, next);
    return await readImage(host, home, next, entry);
  });
}

/** An image that was there keeps its time and its gate result: both belong to the same bytes. */
export function keepHistory(entry: IndexEntry, entries: readonly IndexEntry[]): IndexEntry {
  const known = entries.find((other) => isImage(other) && other.digest === entry.digest);
  if (known === undefined) return entry;
  const kept = [ANNOTATIONS.created, ANNOTATIONS.gate].flatMap((key) => (known.annotations[key] === undefined ? [] : [[key, known.annotations[key]]]));
  return { ...entry, annotations: { ...entry.annotations, ...Object.fromEntries(kept) } };
}

/** {@link Store.resolve} */
export async function resolve(host: Pick<Host, 'files'>, home: Home, reference: string): Promise<Image> {
  for (let attempt = 1, failed: Digest | undefined; ; attempt++) {
    const entries = await readIndex(host, home);
    const entry = findEntry(entries, reference);
    try {
      return await readImage(host, home, entries, entry);
    } catch (error) {
      // Readers take no lock: the image may have been removed or replaced since the index was read, or removed and made again. Only what is
      // still in the index, and fails twice in a row, is damage.
      const now = await readIndex(host, home);
      const stays = now.some((other) => other.digest === entry.digest && referenceOf(other) === referenceOf(entry));
      if (attempt >= ATTEMPTS || (stays && failed === entry.digest)) throw error;
      failed = entry.digest;
    }
  }
}

/** A reader that is overtaken this often by writers gives up. */
const ATTEMPTS = 20;

/** {@link Store.tag} */
export async function tag(host: Host, home: Home, reference: string, newReference: string): Promise<Image> {
  const target = parseNameTag(newReference);
  return await changeStore(host, home, `tagging ${newReference}`, async () => {
    const entries = await readIndex(host, home);
    const entry = findEntry(entries, reference);
    const next = pointReferences(entries, entry, [`${target.name}:${target.tag}`]);
    const image = await readImage(host, home, next, entry);
    await saveIndex(host, home, next);
    return image;
  });
}

/** The entry that a reference names. Throws `image-unknown` with the nearest names, and `image-ambiguous`. */
export function findEntry(entries: readonly IndexEntry[], reference: string): IndexEntry {
  const wanted = parseReference(reference);
  const images = entries.filter(isImage);
  if (wanted.hex === undefined) {
    const text = `${wanted.name}:${wanted.tag}`;
    const found = images.find((entry) => referenceOf(entry) === text);
    if (found === undefined) throw unknownImage(images, reference, text);
    return found;
  }
  const hex = wanted.hex;
  const found = images.filter((entry) => hexOf(entry.digest).startsWith(hex) && (wanted.name === undefined || entryName(entry) === wanted.name));
  const first = found[0];
  if (first === undefined) throw unknownImage(images, reference, reference);
  const digests = new Set(found.map((entry) => entry.digest));
  if (digests.size > 1) {
    throw new IngotError('usage', 'image-ambiguous', `"${reference}" can be any of ${digests.size} images`, {
      hint: 'Give more digits of the digest.',
      detail: [...digests].join('\n'),
    });
  }
  return first;
}

/** The name of an image's entry, of its reference where it has one. */
export function entryName(entry: IndexEntry): string {
  const reference = referenceOf(entry);
  return reference === undefined ? (entry.annotations[ANNOTATIONS.name] ?? '') : nameOfReference(reference);
}

function unknownImage(images: readonly IndexEntry[], reference: string, wanted: string): IngotError {
  const references = images.map(referenceOf).filter((text) => text !== undefined);
  const names = [...new Set(references.map(nameOfReference))];
  const wantedName = nameOfReference(wanted.split('@')[0] ?? wanted);
  // A right name with a wrong tag is answered with its tags.
  const near = names.includes(wantedName) ? references.filter((text) => nameOfReference(text) === wantedName).slice(0, 5) : nearest(wantedName, names);
  // A name alone means its tag `latest`: that is what is missing where the name is there.
  const missing = names.includes(wantedName) ? wanted : reference;
  return new IngotError('not-found', 'image-unknown', `There is no image ${missing} in the store`, {
    hint: near.length > 0 ? `Did you mean ${near.join(', ')}? \`ingot image list\` shows all.` : '`ingot image list` shows the images that are there.',
  });
}

/** Reads an image whole: manifest and config proven by digest, layers by size, the newest gate statement. Throws `image-damaged`. */
export async function readImage(host: Pick<Host, 'files'>, home: Home, entries: readonly IndexEntry[], entry: IndexEntry): Promise<Image> {
  const mark = entry.annotations[ANNOTATIONS.damaged];
  if (mark !== undefined) throw damaged(home.blob(entry.digest), mark);
  const manifest = await readJsonBlob(host, home, entry, manifestSchema);
  const config = await readJsonBlob(host, home, manifest.config, imageConfigSchema);
  for (const layer of manifest.layers)
    if (!(await isWhole(host, home, layer))) throw damaged(home.blob(layer.digest), 'this layer is missing, or not of its size');
  return {
    digest: entry.digest,
    id: manifest.config.digest,
    config,
    layers: manifest.layers,
    references: entries
      .filter((other) => isImage(other) && other.digest === entry.digest)
      .map(referenceOf)
      .filter((text) => text !== undefined)
      .toSorted(),
    created: entry.annotations[ANNOTATIONS.created] ?? '',
    gate: await newestGate(host, home, entries, entry.digest),
  };
}

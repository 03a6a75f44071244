import { IngotError } from '../base/errors.ts';
import type { Digest } from '../base/types.ts';
import { newestOf } from './gates.ts';
import { isImage, referenceOf, withoutReference, type IndexEntry } from './index-file.ts';
import { gateOf } from './list.ts';
import { ANNOTATIONS } from './media.ts';
import { parseNameTag } from './reference.ts';

/** Something that the index says, and that cannot be so. */
export interface IndexFlaw {
  readonly message: string;
  /** The images that it is about. */
  readonly images: readonly Digest[];
}

/**
 * Looks for what does not fit together in an index: tags that are none or stand on two images, statements about images that it does not hold, gate
 * results that no statement gives, IDs that are not the manifest's. Pure. `idOf` gives the config's digest of a manifest that could be read. Returns
 * the index with all of it mended as well; mended again, it stays as it is.
 */
export function checkIndex(
  index: readonly IndexEntry[],
  idOf: (manifest: Digest) => Digest | undefined,
): { readonly flaws: IndexFlaw[]; readonly mended: IndexEntry[] } {
  const flaws: IndexFlaw[] = [];
  const flaw = (message: string, ...images: Digest[]): void => void flaws.push({ message, images });
  const images = new Set<string>(index.filter(isImage).map(({ digest }) => digest));
  const holders = new Map<string, Digest>();
  const entries = index.flatMap((entry): IndexEntry[] => {
    const subject = entry.annotations[ANNOTATIONS.subject];
    if (subject !== undefined) {
      if (images.has(subject)) return [entry];
      flaw(`The statement ${entry.digest} is about an image that is not in the store: ${subject}`);
      return [];
    }
    const reference = isImage(entry) ? referenceOf(entry) : undefined;
    if (reference === undefined) return [entry];
    const holder = holders.get(reference);
    if (holder === undefined && isReference(reference)) holders.set(reference, entry.digest);
    else if (holder === undefined) flaw(`${JSON.stringify(reference)} is not the name and tag of an image`, entry.digest);
    else if (holder === entry.digest) flaw(`${reference} is in the index twice`, entry.digest);
    else flaw(`${reference} stands on two images: the first, ${holder}, is the one that counts`, holder, entry.digest);
    return holders.get(reference) === entry.digest && holder === undefined ? [entry] : [withoutReference(entry)];
  });
  const mended = withoutSpare(entries).map((entry) => {
    if (!isImage(entry)) return entry;
    const told = gateOf(entry.annotations[ANNOTATIONS.gate]);
    const gate = gateOf(newestOf(entries, entry.digest)?.annotations[ANNOTATIONS.gate]);
    const id = idOf(entry.digest) ?? entry.annotations[ANNOTATIONS.config];
    const name = referenceOf(entry) ?? entry.digest;
    if (told !== gate)
      flaw(`The gate of ${name} is said to be ${told}, and its newest statement ${gate === 'not-run' ? 'is missing' : `says ${gate}`}`, entry.digest);
    if (id !== entry.annotations[ANNOTATIONS.config]) flaw(`The ID of ${name} is not the one that its manifest has`, entry.digest);
    if (told === gate && id === entry.annotations[ANNOTATIONS.config]) return entry;
    return { ...entry, annotations: { ...entry.annotations, [ANNOTATIONS.gate]: gate, ...(id === undefined ? {} : { [ANNOTATIONS.config]: id }) } };
  });
  return { flaws, mended };
}

/** Without the entries that say of an image that it has no tag, where it has one or that is said already. */
function withoutSpare(entries: readonly IndexEntry[]): IndexEntry[] {
  const tagged = new Set(entries.flatMap((entry) => (isImage(entry) && referenceOf(entry) !== undefined ? [entry.digest] : [])));
  const bare = new Set<Digest>();
  return entries.filter((entry) => {
    if (!isImage(entry) || referenceOf(entry) !== undefined) return true;
    if (tagged.has(entry.digest) || bare.has(entry.digest)) return false;
    bare.add(entry.digest);
    return true;
  });
}

function isReference(text: string): boolean {
  try {
    const { name, tag } = parseNameTag(text);
    return `${name}:${tag}` === text;
  } catch (error) {
    if (error instanceof IngotError) return false;
    throw error;
  }
}

import type { Digest } from '../base/types.ts';
import type { ImageChain } from './chains.ts';
import type { LayerRecord } from './model.ts';
import { nameOfReference } from './index-file.ts';
import { isAutomaticTag } from './reference.ts';
import type { ImageUse, PruneOptions } from './types.ts';

/** What of an image decides whether it may go. */
export type PruneImage = Pick<ImageChain, 'name' | 'digest' | 'references' | 'created'>;

/** Whether automatic tags are all that name the image: no `latest`, and none that a user gave. */
export function hasAutomaticTagsOnly({ references, digest }: Pick<PruneImage, 'references' | 'digest'>): boolean {
  return references.every((reference) => isAutomaticTag(reference.slice(nameOfReference(reference).length + 1), digest));
}

/**
 * The images that may go at all, the oldest first: untagged ones, and with `keep`, `olderThan` or `maxSize` those with automatic tags alone
 * that are not among the newest `keep` of one of their names. Never what a VM uses.
 */
export function removableImages(images: readonly PruneImage[], inUse: ImageUse, options: PruneOptions): PruneImage[] {
  const policy = options.keep !== undefined || options.olderThan !== undefined || options.maxSize !== undefined;
  const newest = newestOf(images, options.keep ?? 0);
  return images
    .filter((image) => !inUse.has(image.digest))
    .filter((image) => image.references.length === 0 || (policy && hasAutomaticTagsOnly(image) && !newest.has(image.digest)))
    .toSorted((a, b) => timeOf(a.created) - timeOf(b.created));
}

/** Of the removable images, those that go whatever the store takes: untagged ones, and what `keep` and `olderThan` together say. */
export function outdatedImages(removable: readonly PruneImage[], options: PruneOptions, now: Date): PruneImage[] {
  const { keep, olderThan } = options;
  if (keep === undefined && olderThan === undefined) return removable.filter(({ references }) => references.length === 0);
  return removable.filter(({ references, created }) => references.length === 0 || now.getTime() - timeOf(created) > (olderThan ?? -Infinity) * 1000);
}

/** The newest images of each name, by digest. Untagged ones do not count. */
function newestOf(images: readonly PruneImage[], keep: number): Set<Digest> {
  const names = new Map<string, PruneImage[]>();
  for (const image of images) for (const name of new Set(image.references.map(nameOfReference))) names.set(name, [...(names.get(name) ?? []), image]);
  return new Set(
    [...names.values()].flatMap((versions) =>
      versions
        .toSorted((a, b) => timeOf(b.created) - timeOf(a.created))
        .slice(0, keep)
        .map(({ digest }) => digest),
    ),
  );
}

/** A time that cannot be read counts as now: what has no age is not old. */
function timeOf(created: string): number {
  const time = Date.parse(created);
  return Number.isNaN(time) ? Number.MAX_SAFE_INTEGER : time;
}

/** Something that goes when the store is too large. */
export interface SizeItem {
  /** Milliseconds: of an image when it was made, of a cached layer when it or a layer on it was last used. */
  readonly time: number;
  readonly image?: PruneImage;
  readonly record?: LayerRecord;
}

/** Images and cached layers in the order in which they go for size. `lastUse` are milliseconds, by key. */
export function sizeQueue(images: readonly PruneImage[], records: readonly LayerRecord[], lastUse: ReadonlyMap<string, number>): SizeItem[] {
  const onTop = Map.groupBy(records, (record) => record.parent);
  const used = new Map<LayerRecord, number>();
  const usedAt = (record: LayerRecord, below: ReadonlySet<LayerRecord>): number => {
    const known = used.get(record);
    if (known !== undefined || below.has(record)) return known ?? 0;
    const path = new Set(below).add(record);
    const time = Math.max(lastUse.get(record.key) ?? 0, ...(onTop.get(record.digest) ?? []).map((child) => usedAt(child, path)));
    used.set(record, time);
    return time;
  };
  const items: SizeItem[] = [
    ...images.map((image) => ({ time: timeOf(image.created), image })),
    ...records.map((record) => ({ time: usedAt(record, new Set()), record })),
  ];
  return items.toSorted((a, b) => a.time - b.time);
}

/** The smallest count of items, taken from the front, with which `fits` holds; all of them where it never does. `fits` stays true once it is. */
export function fewestThatFit(count: number, fits: (taken: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

import { relative } from 'node:path';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isLocked } from '../base/lock.ts';
import { formatSize, type Digest } from '../base/types.ts';
import { garbageOf, readInventory, removeGarbage, withoutImages, type Garbage, type Inventory } from './garbage.ts';
import { entryName } from './images.ts';
import { isImage, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { ANNOTATIONS } from './media.ts';
import { fewestThatFit, outdatedImages, removableImages, sizeQueue, type PruneImage, type SizeItem } from './prune-policy.ts';
import type { ImageUse, PruneOptions, PruneReport } from './types.ts';
import { changeStore, saveIndex } from './writing.ts';

/** {@link Store.prune} */
export async function prune(host: Host, home: Home, inUse: ImageUse, options: PruneOptions = {}): Promise<PruneReport> {
  const work = async (): Promise<PruneReport> => {
    const entries = await readIndex(host, home);
    const inventory = await readInventory(host, home, entries, inUse);
    const kept: string[] = [];
    const images = pruneImages(entries);
    // The image of a running build has no tag until its gate has passed.
    const building = await isBuilding(host, home);
    const removable = removableImages(images, inUse, options).filter(({ references }) => !building || references.length > 0);
    const outdated = outdatedImages(removable, options, host.clock.now());
    for (const image of images.filter(({ digest, references }) => references.length === 0 && inUse.has(digest)))
      kept.push(`${image.name}@${image.digest} is used by ${inUse.get(image.digest)?.join(', ')}`);

    if (building) kept.push('Images without a tag, and cached layers, stay while a build or the like is running');
    const rest = removable.filter((image) => !outdated.includes(image));
    const queue = options.maxSize === undefined ? [] : sizeQueue(rest, building ? [] : inventory.records, await lastUses(host, home, inventory));
    const without = (taken: number): Removal =>
      removalOf(home, inventory, entries, inUse, outdated, queue.slice(0, taken), options.layers === true && !building);

    const total = [...inventory.files.values()].reduce((sum, bytes) => sum + bytes, 0);
    const limit = options.maxSize ?? Infinity;
    const { garbage, next, gone } = without(fewestThatFit(queue.length, (taken) => total - without(taken).garbage.freed <= limit));
    const size = total - garbage.freed;
    if (size > limit)
      kept.push(`The store takes ${formatSize(size)}, more than ${formatSize(limit)}: what is left is tagged by a user or as latest, in use, or to be kept`);
    if (options.dryRun !== true) {
      if (next.length !== entries.length) await saveIndex(host, home, next);
      await removeGarbage(host, garbage);
    }
    return {
      images: gone.map(({ name, digest, references }) => ({ name, digest, references })),
      layers: garbage.layers.map(({ name, key }) => ({ name, key })),
      files: garbage.files.map((file) => relative(home.store, file)),
      freed: garbage.freed,
      size,
      kept: [...kept, ...garbage.kept],
    };
  };
  return options.dryRun === true ? await work() : await changeStore(host, home, 'pruning the image store', work);
}

interface Removal {
  readonly gone: readonly PruneImage[];
  readonly next: readonly IndexEntry[];
  readonly garbage: Garbage;
}

/** What goes when some images and cached layers go, with all that only they needed. */
function removalOf(
  home: Home,
  inventory: Inventory,
  entries: readonly IndexEntry[],
  inUse: ImageUse,
  outdated: readonly PruneImage[],
  items: readonly SizeItem[],
  allLayers: boolean,
): Removal {
  const gone = [...outdated, ...items.flatMap(({ image }) => image ?? [])];
  const digests = new Set<Digest>(gone.map(({ digest }) => digest));
  const layers = new Set(gone.flatMap(({ digest }) => inventory.manifests.get(digest)?.layers.map((layer) => layer.digest) ?? []));
  const records = new Set(items.map(({ record }) => record));
  const next = withoutImages(entries, (entry) => digests.has(entry.digest));
  const garbage = garbageOf(home, inventory, { entries: next, inUse, mayDrop: (record) => allLayers || layers.has(record.digest) || records.has(record) });
  return { gone, next, garbage };
}

/** The images of an index, each with all its references. */
function pruneImages(entries: readonly IndexEntry[]): PruneImage[] {
  return [...Map.groupBy(entries.filter(isImage), (entry) => entry.digest)].flatMap(([digest, same]) => {
    const [first] = same;
    if (first === undefined) return [];
    const references = same.flatMap((entry) => referenceOf(entry) ?? []).toSorted();
    return [{ name: entryName(first), digest, references, created: first.annotations[ANNOTATIONS.created] ?? '' }];
  });
}

/** When each cached layer was last used, by key: the time of its record's file. */
async function lastUses(host: Host, home: Home, { records }: Inventory): Promise<Map<string, number>> {
  return new Map(
    await Promise.all(records.map(async ({ key }) => [key, (await host.files.status(home.layer(key)))?.modified.getTime() ?? 0] as [string, number])),
  );
}

/** Whether some process works in a scratch folder now; its layers may wait for their image. */
async function isBuilding(host: Host, home: Home): Promise<boolean> {
  return (await host.files.list(home.run)).some((id) => isLocked(home, `run-${id}`));
}

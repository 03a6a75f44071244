import { relative } from 'node:path';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isLocked } from '../base/lock.ts';
import { findGarbage, removeGarbage, withoutImages } from './garbage.ts';
import { entryName } from './images.ts';
import { isImage, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { layersOf } from './remove.ts';
import type { ImageUse, PruneOptions, PruneReport } from './types.ts';
import { changeStore, saveIndex } from './writing.ts';

/** {@link Store.prune} */
export async function prune(host: Host, home: Home, inUse: ImageUse, options: PruneOptions = {}): Promise<PruneReport> {
  const work = async (): Promise<PruneReport> => {
    const entries = await readIndex(host, home);
    const untagged = entries.filter((entry) => isImage(entry) && referenceOf(entry) === undefined);
    const gone = new Set<IndexEntry>(untagged.filter((entry) => !inUse.has(entry.digest)));
    const next = withoutImages(entries, (entry) => gone.has(entry));
    const layers = await layersOf(host, home, [...gone]);
    const kept = untagged
      .filter((entry) => !gone.has(entry))
      .map((entry) => `${entryName(entry)}@${entry.digest} is used by ${inUse.get(entry.digest)?.join(', ')}`);
    const building = options.layers === true && (await isBuilding(host, home));
    if (building) kept.push('Cached layers stay while a build is running');
    const garbage = await findGarbage(host, home, {
      entries: next,
      inUse,
      mayDrop: (record) => (options.layers === true && !building) || layers.has(record.digest),
    });
    if (options.dryRun !== true) {
      if (next.length !== entries.length) await saveIndex(host, home, next);
      await removeGarbage(host, garbage);
    }
    return {
      images: [...gone].map((entry) => ({ name: entryName(entry), digest: entry.digest })),
      layers: garbage.layers.map(({ name, key }) => ({ name, key })),
      files: garbage.files.map((file) => relative(home.store, file)),
      freed: garbage.freed,
      kept: [...kept, ...garbage.kept],
    };
  };
  return options.dryRun === true ? await work() : await changeStore(host, home, 'pruning the image store', work);
}

/** Whether some process works in a scratch folder now; its layers may wait for their image. */
async function isBuilding(host: Host, home: Home): Promise<boolean> {
  return (await host.files.list(home.run)).some((id) => isLocked(home, `run-${id}`));
}

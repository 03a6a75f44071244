import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest } from '../base/types.ts';
import { isImage, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { summarise } from './list.ts';
import { manifestSchema, readJsonBlob, type Manifest } from './manifest.ts';
import type { Descriptor, ImageSummary } from './model.ts';

/** An image as its chain of layers: what a tree, a history and a collection need of it. Its config is not opened. */
export interface ImageChain extends Omit<ImageSummary, 'tag'> {
  /** Every `name:tag` that points to it, sorted. */
  readonly references: readonly string[];
  readonly config: Descriptor | undefined;
  /** Bottom first; empty where the manifest cannot be read, and `damaged` says why. */
  readonly layers: readonly Descriptor[];
}

/**
 * The chains of all images, by digest. Manifests are read in parallel. Takes no lock: an image that is removed meanwhile is left out, one whose
 * manifest cannot be read has `damaged`.
 */
export async function readChains(host: Pick<Host, 'files'>, home: Home): Promise<ImageChain[]> {
  const groups = imagesOf(await readIndex(host, home));
  const read = await Promise.all(groups.map(async ([first, ...rest]) => ({ first, rest, manifest: await manifestOrWhy(host, home, first) })));
  return read.flatMap(({ first, rest, manifest }): ImageChain[] => {
    if (manifest === undefined) return [];
    const { tag: _, ...summary } = summarise(first);
    const references = [first, ...rest].flatMap((entry) => referenceOf(entry) ?? []).toSorted();
    if (typeof manifest === 'string') return [{ ...summary, damaged: summary.damaged ?? manifest, references, config: undefined, layers: [] }];
    return [{ ...summary, references, config: manifest.config, layers: manifest.layers }];
  });
}

/** The image entries of an index, those of one image together. */
function imagesOf(entries: readonly IndexEntry[]): [IndexEntry, ...IndexEntry[]][] {
  const groups = new Map<Digest, [IndexEntry, ...IndexEntry[]]>();
  for (const entry of entries) {
    if (!isImage(entry)) continue;
    const group = groups.get(entry.digest);
    if (group === undefined) groups.set(entry.digest, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

/** The manifest; undefined where the image was removed meanwhile, a sentence where it is damaged: still in the index, and unreadable twice in a row. */
async function manifestOrWhy(host: Pick<Host, 'files'>, home: Home, entry: IndexEntry): Promise<Manifest | string | undefined> {
  let why: string | undefined;
  for (;;) {
    try {
      return await readJsonBlob(host, home, entry, manifestSchema);
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'image-damaged') throw error;
      const stays = (await readIndex(host, home)).some(({ digest }) => digest === entry.digest);
      if (!stays || why !== undefined) return stays ? why : undefined;
      why = error.message;
    }
  }
}

import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest, Key } from '../base/types.ts';
import { readChains } from './chains.ts';
import { resolve } from './images.ts';
import { readLayer } from './layers.ts';
import type { Image, ImageDetails, LayerRecord } from './model.ts';

/** A layer of an image, and where it came from. */
export interface HistoryLayer {
  /** What the image's config tells of it. */
  readonly told: ImageDetails['layers'][number];
  readonly key: Key;
  readonly digest: Digest;
  /** Bytes in the store. */
  readonly size: number;
  /** The cache's record of it: when it was made and how long that took. Absent where the cache has lost it or has other bytes for its key. */
  readonly record: LayerRecord | undefined;
  /** Other images with this layer: a reference of each, or its name and digest. */
  readonly sharedWith: readonly string[];
}

/** An image's layers, bottom first. Throws what `resolve` throws. */
export async function readHistory(host: Pick<Host, 'files'>, home: Home, reference: string): Promise<{ image: Image; layers: HistoryLayer[] }> {
  const image = await resolve(host, home, reference);
  const others = (await readChains(host, home)).filter((chain) => chain.digest !== image.digest);
  const users = new Map<Digest, string[]>(image.layers.map(({ digest }) => [digest, []]));
  for (const chain of others) {
    const name = chain.references[0] ?? `${chain.name}@${chain.digest}`;
    for (const { digest } of chain.layers) users.get(digest)?.push(name);
  }
  const layers = await Promise.all(
    image.layers.map(async ({ digest, size }, i): Promise<HistoryLayer[]> => {
      const told = image.config['dev.ingot.image'].layers[i];
      if (told === undefined) return [];
      const record = await readLayer(host, home, told.key);
      return [{ told, key: told.key, digest, size, record: record?.digest === digest ? record : undefined, sharedWith: (users.get(digest) ?? []).toSorted() }];
    }),
  );
  return { image, layers: layers.flat() };
}

import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest, Name } from '../base/types.ts';
import { readImage } from './images.ts';
import { isImage, readIndex, type IndexEntry } from './index-file.ts';
import { imageParts } from './manifest.ts';
import type { Image, ImageConfig, LayerRecord } from './model.ts';

/** Finds an image by what it is made of; undefined where it is not in the store, or is damaged. */
export type ImageFinder = (config: ImageConfig, layers: readonly LayerRecord[], name: Name) => Promise<Image | undefined>;

/** A finder over the store as it is now: the index is read once, however many images are asked for, and nothing is locked. */
export async function imageFinder(host: Pick<Host, 'files'>, home: Home): Promise<ImageFinder> {
  const entries = await readIndex(host, home);
  const byDigest = new Map<Digest, IndexEntry>();
  for (const entry of entries) if (isImage(entry)) byDigest.set(entry.digest, entry);
  return async (config, layers, name) => {
    if (byDigest.size === 0) return undefined;
    const entry = byDigest.get(imageParts(config, layers, name, '').entry.digest);
    if (entry === undefined) return undefined;
    try {
      return await readImage(host, home, entries, entry);
    } catch (error) {
      // It is stored anew then, which repairs it.
      if (error instanceof IngotError && error.code === 'image-damaged') return undefined;
      throw error;
    }
  };
}

import { IngotError } from '../base/errors.ts';
import type { Digest } from '../base/types.ts';
import type { Store } from '../store/store.ts';

/**
 * Throws `tag-exists` where another image has the tag `latest` of a name: what is imported replaces it only where the user says so. `own` is the image that may
 * have it, once it is known.
 */
export async function checkLatest(store: Pick<Store, 'list'>, name: string, own: Digest | undefined, force: boolean): Promise<void> {
  if (force) return;
  const there = (await store.list()).find((image) => image.name === name && image.tag === 'latest');
  if (there === undefined || there.digest === own) return;
  // Before the file was read, an image that once was imported under this name may be the same.
  if (own === undefined && (await store.list()).some((image) => image.digest === there.digest && image.tag.startsWith('file-'))) return;
  throw new IngotError('conflict', 'tag-exists', `There is another image ${name}:latest`, {
    hint: 'Give another --name, or --force to move the tag to the new image.',
  });
}

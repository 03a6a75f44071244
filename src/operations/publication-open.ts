import { takeLock } from '../base/lock.ts';
import type { Platform } from '../platforms/platform.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findPublication, Journal, type Publication } from '../publish/journal.ts';
import { publishLock } from '../publish/publish.ts';
import { findTarget } from '../publish/targets.ts';
import type { Context } from './operation.ts';

/** Works on a publication under the lock of its name, as it is once the lock is there, with its target opened. */
export async function onPublication<T>(
  context: Context,
  reference: string,
  what: string,
  work: (platform: Platform, journal: Journal) => Promise<T>,
): Promise<T> {
  const found = await findPublication(context, reference);
  await using platform = await openPlatform(context, await findTarget(context, found.target));
  await using _lock = await takeLock(context.host, context.home, publishLock(found.target, found.image.name), {
    what: `${what} ${found.id}`,
    signal: context.signal,
  });
  return await work(platform, await journalOf(context, found));
}

/** The journal of a publication, read again: somebody may have changed it before the lock was taken. */
export async function journalOf(context: Context, { id }: Pick<Publication, 'id'>): Promise<Journal> {
  return new Journal(context, await findPublication(context, id));
}

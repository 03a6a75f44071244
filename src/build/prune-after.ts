import { IngotError } from '../base/errors.ts';
import { formatSize } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { openStore } from '../store/store.ts';
import type { ImageResult } from './images.ts';

/** What it uses of an operation's context. */
export type PruneContext = Pick<Context, 'host' | 'home' | 'settings' | 'events'>;

/**
 * Where the setting `image-prune` says so, removes what `ingot image prune` removes, after a build that made something and lacks nothing: of one
 * that failed, the image without a tag is what its user looks at next. Says in one line what went; what goes wrong is a warning, since the build
 * is done.
 */
export async function pruneAfterBuild({ host, home, settings, events }: PruneContext, results: readonly Pick<ImageResult, 'status'>[]): Promise<void> {
  if (settings['image-prune'] !== 'after-build') return;
  const done = results.every(({ status }) => status === 'built' || status === 'cached');
  if (!done || !results.some(({ status }) => status === 'built')) return;
  try {
    // Loaded where it is used: the build of what is cached is felt otherwise.
    const { imageUsers } = await import('../platforms/local/vms.ts');
    const { images, files, freed } = await openStore(host, home).prune(await imageUsers(host, home));
    if (files.length === 0 && images.length === 0) return;
    const names = images.map(({ name, digest }) => `${name}@${digest.slice(0, 19)}`);
    const what =
      names.length === 0 ? 'files that nothing refers to' : `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
    events.message('info', `Removed ${what}: ${formatSize(freed)} freed (setting image-prune)`);
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    events.message('warn', `Nothing was pruned after the build: ${error.message}`);
  }
}

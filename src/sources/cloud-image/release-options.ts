import { loadCatalog } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { Context } from '../../operations/operation.ts';
import type { FetchImageOptions } from './fetch.ts';

/** How a file of a release is fetched and proved: with the keys that the catalog has of its distribution. */
export async function fetchOptionsOf(
  context: Pick<Context, 'host' | 'home' | 'settings' | 'events' | 'signal'>,
  release: Release,
  offline: boolean,
): Promise<FetchImageOptions> {
  const { home, signal, events } = context;
  const catalog = await loadCatalog(context);
  const keys = release.keys.flatMap(({ file }) => (file === undefined || catalog.keys[file] === undefined ? [] : [Buffer.from(catalog.keys[file])]));
  return { home, keys, offline, signal, onMessage: (level, text) => events.message(level, text) };
}

import { IngotError, nearest } from '../base/errors.ts';
import type { CatalogData, Release } from './schema.ts';

declare const INGOT_CATALOG: CatalogData | undefined;

/** The catalog: compiled into the bundle, else read from catalog/ beside the sources. */
export async function loadCatalog(): Promise<CatalogData> {
  if (typeof INGOT_CATALOG !== 'undefined') return INGOT_CATALOG;
  const { readCatalogFolder } = await import('./folder.ts');
  return await readCatalogFolder();
}

/** Every release of the catalog, in its order. */
export function releases(catalog: CatalogData): Release[] {
  return catalog.distributions.flatMap((distribution) => {
    const { releases: list, keyring, ...common } = distribution;
    return list.map((release) => ({ ...common, ...release, keyring: catalog.keys[keyring] ?? '' }));
  });
}

/** A release by the name that users write; throws `release-unknown` with the nearest names. */
export function findRelease(catalog: CatalogData, id: string): Release {
  const all = releases(catalog);
  const found = all.find((release) => release.id === id);
  if (found !== undefined) return found;
  const near = nearest(
    id,
    all.map((release) => release.id),
  );
  throw new IngotError('not-found', 'release-unknown', `There is no release "${id}" in the catalog`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known: ${all.map((release) => release.id).join(', ')}.`,
  });
}

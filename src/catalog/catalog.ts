import { IngotError, nearest } from '../base/errors.ts';
import { ARCHITECTURES } from './cloud-image-schema.ts';
import type { CatalogData, Distribution, Release, ReleaseArchive, ReleaseBootstrap } from './schema.ts';

declare const INGOT_CATALOG: CatalogData | undefined;

/** The catalog: compiled into the bundle, else read from catalog/ beside the sources. */
export async function loadCatalog(): Promise<CatalogData> {
  if (typeof INGOT_CATALOG !== 'undefined') return INGOT_CATALOG;
  const { readCatalogFolder } = await import('./folder.ts');
  return await readCatalogFolder();
}

/** Every release of the catalog, in its order. */
export function releases(catalog: CatalogData): Release[] {
  return catalog.distributions.flatMap((distribution) => distribution.releases.map((release) => releaseOf(catalog, distribution, release)));
}

function releaseOf({ keys }: CatalogData, distribution: Distribution, release: Distribution['releases'][number]): Release {
  const { releases: _, archive, bootstrap, notes, osId, ...common } = distribution;
  const { archive: ownArchive, bootstrap: ownBootstrap, ...own } = release;
  const kernels = ownBootstrap === undefined ? undefined : bootstrap?.kernels;
  return {
    ...common,
    ...own,
    osId: osId ?? distribution.distribution,
    defaultUser: own.defaultUser ?? common.defaultUser ?? distribution.distribution,
    firmware: own.firmware ?? common.firmware ?? ['bios', 'uefi'],
    traps: own.traps ?? common.traps ?? [],
    notes: [...notes, ...own.notes],
    architectures: ARCHITECTURES.filter((arch) => own.images[arch] !== undefined || kernels?.[arch] !== undefined),
    ...(archive === undefined || ownArchive === undefined ? {} : { archive: { ...archive, ...ownArchive, keyring: keys[archive.keyring] ?? '' } }),
    ...(bootstrap === undefined || ownBootstrap === undefined ? {} : { bootstrap: { ...bootstrap, ...ownBootstrap } }),
  };
}

/** A release by the name that users write, or one of its other names; throws `release-unknown` with the nearest names. */
export function findRelease(catalog: CatalogData, id: string): Release {
  const all = releases(catalog);
  const found = knownRelease(all, id);
  if (found !== undefined) return found;
  const near = nearest(
    id,
    all.flatMap((release) => [release.id, ...release.aliases]),
  );
  throw new IngotError('not-found', 'release-unknown', `There is no release "${id}" in the catalog`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : '`ingot catalog distros` shows all.',
  });
}

/** A release by its name, or one of its other names; undefined where there is none. */
export function knownRelease(all: readonly Release[], id: string): Release | undefined {
  return all.find((release) => release.id === id) ?? all.find((release) => release.aliases.includes(id));
}

/** What apt needs to resolve the packages of a release; throws `archive-unknown` where the catalog does not say. */
export function archiveOf({ id, archive }: Pick<Release, 'id' | 'archive'>): ReleaseArchive {
  if (archive !== undefined) return archive;
  throw new IngotError('usage', 'archive-unknown', `The catalog does not know the package archive of ${id}`, {
    hint: 'Add an `archive` to the release in a catalog folder of your own.',
  });
}

/** How a base image of a release is made of packages; throws `bootstrap-unsupported` where there is only its cloud image. */
export function bootstrapOf({ id, bootstrap }: Pick<Release, 'id' | 'bootstrap'>): ReleaseBootstrap {
  if (bootstrap !== undefined) return bootstrap;
  throw new IngotError('usage', 'bootstrap-unsupported', `ingot does not make images of ${id} from packages`, {
    hint: 'Its cloud image is what images start from.',
  });
}

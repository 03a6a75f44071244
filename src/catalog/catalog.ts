import { join } from 'node:path';
import { IngotError, nearest } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { keyFingerprints } from '../base/openpgp.ts';
import type { Settings } from '../base/settings-schema.ts';
import { ARCHITECTURES } from './cloud-image-schema.ts';
import type { CatalogData, Distribution, Release, ReleaseArchive, ReleaseBootstrap } from './schema.ts';

declare const INGOT_CATALOG: CatalogData | undefined;

let fromSources: Promise<CatalogData> | undefined;

/** The catalog as it is shipped: compiled into the bundle, else read from catalog/ beside the sources. */
export async function shippedCatalog(): Promise<CatalogData> {
  if (typeof INGOT_CATALOG !== 'undefined') return INGOT_CATALOG;
  const { readCatalogFolder } = await import('./folder.ts');
  return await (fromSources ??= readCatalogFolder());
}

/** Where the user's own distributions are looked for. */
export interface CatalogContext {
  readonly host: Pick<Host, 'files'>;
  readonly home: Pick<Home, 'catalog'>;
  readonly settings: Pick<Settings, 'catalog'>;
  /** Where the user works: files are shown relative to it. */
  readonly folder?: string | undefined;
}

/** The catalog, with the user's own distributions and releases laid over it. Throws `catalog-invalid` with everything that is wrong in his files. */
export async function loadCatalog(context: CatalogContext): Promise<CatalogData> {
  const shipped = await shippedCatalog();
  const folder = context.settings.catalog ?? context.home.catalog;
  // Reading YAML is felt at every command: only who has such files pays for it.
  const [distros, keys] = await Promise.all(['distros', 'keys'].map((part) => context.host.files.list(join(folder, part))));
  if (distros?.length === 0 && keys?.length === 0) return shipped;
  const { overlayCatalog } = await import('./own-catalog.ts');
  return await overlayCatalog(context, shipped, folder);
}

/** The keys, ASCII-armoured, that hold one of the fingerprints; none where the catalog has none of them. */
export function keysWith({ keys }: Pick<CatalogData, 'keys'>, fingerprints: readonly string[]): string[] {
  return Object.values(keys).filter((key) => keyFingerprints(Buffer.from(key)).some((fingerprint) => fingerprints.includes(fingerprint)));
}

/** Every release of the catalog, in its order. */
export function releases(catalog: CatalogData): Release[] {
  return catalog.distributions.flatMap((distribution) => distribution.releases.map((release) => releaseOf(catalog, distribution, release)));
}

function releaseOf({ keys }: CatalogData, distribution: Distribution, release: Distribution['releases'][number]): Release {
  const { releases: _, archive, bootstrap, notes, osId, ...common } = distribution;
  const { archive: ownArchive, bootstrap: ownBootstrap, ...own } = release;
  const { installer } = own;
  const kernels = ownBootstrap === undefined ? undefined : bootstrap?.kernels;
  return {
    ...common,
    ...own,
    osId: osId ?? distribution.distribution,
    defaultUser: own.defaultUser ?? common.defaultUser ?? distribution.distribution,
    firmware: own.firmware ?? common.firmware ?? ['bios', 'uefi'],
    traps: own.traps ?? common.traps ?? [],
    notes: [...notes, ...own.notes],
    architectures: ARCHITECTURES.filter(
      (arch) =>
        own.images[arch] !== undefined || kernels?.[arch] !== undefined || (installer?.method !== 'interactive' && installer?.media[arch] !== undefined),
    ),
    ...(archive === undefined || ownArchive === undefined ? {} : { archive: { ...archive, ...ownArchive, keyring: keys[archive.keyring] ?? '' } }),
    ...(bootstrap === undefined || ownBootstrap === undefined ? {} : { bootstrap: { ...bootstrap, ...ownBootstrap } }),
  };
}

/** A release by the name that users write, or one of its other names; throws `release-unknown` with the nearest names. */
export function findRelease(catalog: CatalogData, id: string): Release {
  const all = releases(catalog);
  const found = knownRelease(all, id);
  if (found !== undefined) return found;
  const near =
    newestOf(all, id) ??
    nearest(
      id,
      all.flatMap((release) => [release.id, ...release.aliases]),
    );
  throw new IngotError('not-found', 'release-unknown', `There is no release "${id}" in the catalog`, {
    hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : '`ingot catalog distros` shows all.',
  });
}

/** Of a distribution that is named without a release, those which are maintained the longest. */
function newestOf(all: readonly Release[], distribution: string): string[] | undefined {
  const own = all.filter((release) => release.distribution === distribution && release.eol !== undefined);
  return own.length === 0
    ? undefined
    : own
        .toSorted((a, b) => String(b.eol).localeCompare(String(a.eol)))
        .slice(0, 3)
        .map(({ id }) => id);
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

import { IngotError, nearest } from '../base/errors.ts';
import { formatSize, parseSize } from '../base/types.ts';
import { findRelease, knownRelease, releases } from '../catalog/catalog.ts';
import { ARCHITECTURES } from '../catalog/cloud-image-schema.ts';
import type { CatalogData, Release } from '../catalog/schema.ts';
import { filesystemSchema, MINIMUM_DISK, type Filesystem } from '../disk/layout.ts';
import { mountProblem } from '../disk/mounts.ts';
import type { Context } from '../operations/operation.ts';
import type { ImageConfig } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { installerFrom, installerOf, isIsoPath, toldInstaller } from './resolve-installer.ts';
import type { Template } from './schema.ts';
import { hostFileAt } from './host-file.ts';
import type { Path, Scope } from './scope.ts';
import { DEFAULT_DISK_SIZE, INSTALLED_DISK_SIZE, type Base, type DiskOptions } from './template.ts';

/** What an image stands on, and what is known of it. */
export interface FoundBase {
  readonly base: Base;
  readonly release?: Release;
  readonly image?: ImageConfig;
}

/** What a text names: a release of the catalog, else an image of the store. Throws `base-unknown` with the nearest names of both. */
export async function findBase(context: Context, catalog: CatalogData, text: string): Promise<FoundBase> {
  const known = releases(catalog);
  if (knownRelease(known, text) !== undefined) return releaseBase(catalog, text);
  try {
    return await imageBase(context, catalog, text);
  } catch (error) {
    if (!(error instanceof IngotError) || !['image-unknown', 'reference-invalid', 'name-invalid'].includes(error.code)) throw error;
    const images = (await openStore(context.host, context.home).list()).map(({ name, tag }) => (tag === 'latest' ? name : `${name}:${tag}`));
    const near = nearest(text, [...known.flatMap(({ id, aliases }) => [id, ...aliases]), ...images]);
    throw new IngotError('not-found', 'base-unknown', `There is neither a release nor an image "${text}"`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : '`ingot catalog distros` shows the releases, `ingot image list` the images.',
    });
  }
}

/** The release of what the image starts from; undefined for a disk that has not been looked at, and for a release that the catalog lost. */
export function releaseOf({ catalog }: Pick<Scope, 'catalog'>, found: FoundBase | undefined): Release | undefined {
  const id = found?.release?.id ?? found?.image?.['dev.ingot.image'].release;
  return releases(catalog).find((release) => release.id === id);
}

const SOURCE_NAMES = ['bootstrap', 'cloud-image', 'installer'] as const;
type Source = (typeof SOURCE_NAMES)[number];

const SOURCE_TEXTS: Readonly<Record<Source, string>> = {
  bootstrap: 'It is made of packages: `source: bootstrap`.',
  'cloud-image': 'It is made from its cloud image: `source: cloud-image`.',
  installer: 'It is installed: `source: installer`.',
};

/** A release, made of packages where the catalog knows how, else from its cloud image, else installed. Throws `source-unsupported` for one that it has not. */
function releaseBase(catalog: CatalogData, id: string, wanted?: Source): FoundBase {
  const release = findRelease(catalog, id);
  const method = installerOf(release);
  const has: Record<Source, boolean> = {
    bootstrap: release.bootstrap !== undefined,
    'cloud-image': Object.keys(release.images).length > 0,
    installer: method !== undefined,
  };
  const first = SOURCE_NAMES.find((source) => has[source]);
  const source = wanted ?? first ?? 'bootstrap';
  if (!has[source]) throw sourceMissing(release, wanted, first);
  if (source === 'installer' && method !== undefined) return { base: { kind: source, release: release.id, method, medium: { kind: 'catalog' } }, release };
  return { base: { kind: source === 'bootstrap' ? 'release' : 'cloud-image', release: release.id }, release };
}

function sourceMissing({ id, installer }: Release, wanted: Source | undefined, first: Source | undefined): IngotError {
  if (wanted === undefined || (wanted === 'installer' && installer !== undefined)) {
    const which = wanted === undefined ? `Of ${id} there is only an installer that` : `The installer of ${id}`;
    return new IngotError('usage', 'source-unsupported', `${which} cannot be run unattended`, {
      hint: 'Install it yourself, and start from its disk: `from: { file: … }`.',
    });
  }
  return new IngotError('usage', 'source-unsupported', `${id} has no source called ${wanted}`, first === undefined ? {} : { hint: SOURCE_TEXTS[first] });
}

async function imageBase(context: Context, catalog: CatalogData, reference: string): Promise<FoundBase> {
  const { config } = await openStore(context.host, context.home).resolve(reference);
  // Its traps are those of what it was made from; an image that was built on it has dealt with them.
  const release = config['dev.ingot.image'].cloudImage === undefined ? undefined : knownRelease(releases(catalog), config['dev.ingot.image'].release);
  return { base: { kind: 'image', reference }, image: config, ...(release === undefined ? {} : { release }) };
}

/** What `from` of a template says; undefined where it is wrong, which then is a problem of the scope. */
export async function resolveFrom(scope: Scope): Promise<FoundBase | undefined> {
  const { context, catalog } = scope;
  const { from } = scope.loaded.template;
  if (from === undefined) {
    scope.problem(
      [],
      'does not say what to start from',
      'Add `from: debian-12`, for example. A file with parts for others is checked together with the template that includes it.',
    );
    return undefined;
  }
  if (typeof from === 'string' && isIsoPath(from)) return await scope.attempt(['from'], () => installerFrom(scope, { iso: from }, []));
  if (typeof from === 'string') return await scope.attempt(['from'], () => findBase(context, catalog, from));
  if ('iso' in from || 'kernel' in from) return await scope.attempt(['from'], () => installerFrom(scope, from, ['from']));
  if ('release' in from) return await scope.attempt(['from', 'release'], () => releaseFrom(scope, from));
  if ('image' in from) return await scope.attempt(['from', 'image'], () => imageBase(context, catalog, from.image));
  if ('url' in from) return { base: { kind: 'url', url: from.url, sha256: from.sha256 } };
  const path = await hostFileAt(scope, ['from', 'file'], from.file);
  return path === undefined ? undefined : { base: { kind: 'file', path } };
}

type FromRelease = Exclude<Extract<NonNullable<Template['from']>, { readonly release: string }>, { readonly kernel: string }>;

/** A release, perhaps with the cloud image that the user has of it. */
async function releaseFrom(scope: Scope, from: FromRelease): Promise<FoundBase | undefined> {
  const { release: id, source, file, url, sha256, authorization, answers } = from;
  const found = file === undefined && url === undefined ? releaseBase(scope.catalog, id, source) : undefined;
  if (found?.base.kind === 'installer') return { ...found, base: { ...found.base, ...(await toldInstaller(scope, ['from'], from, found.base.method)) } };
  if (answers !== undefined) scope.problem(['from', 'answers'], 'goes with `source: installer`');
  if (file === undefined && url === undefined) {
    for (const [key, value] of Object.entries({ sha256, authorization })) if (value !== undefined) scope.problem(['from', key], 'goes with `url`');
    return found;
  }
  const release = findRelease(scope.catalog, id);
  const base = { kind: 'cloud-image', release: release.id } as const;
  if (source === 'bootstrap' || source === 'installer') scope.problem(['from', 'source'], `cannot be ${source}: an image is given`);
  if (file !== undefined) {
    if (url !== undefined) scope.problem(['from', 'url'], 'cannot be given together with `file`');
    const path = await hostFileAt(scope, ['from', 'file'], file);
    return path === undefined ? undefined : { base: { ...base, origin: { kind: 'file', path } }, release };
  }
  if (url === undefined) return undefined;
  if (sha256 === undefined) {
    scope.problem(['from', 'url'], 'needs `sha256`: without a checksum nothing is downloaded');
    return undefined;
  }
  if (authorization !== undefined) await scope.secretAt(['from', 'authorization', 'secret'], authorization.secret);
  const secret = authorization === undefined ? {} : { authorization: authorization.secret };
  return { base: { ...base, origin: { kind: 'url', url, sha256, ...secret } }, release };
}

/** Checks that the architecture is there, from the source that is wanted; throws `arch-unsupported` and `source-unsupported`. */
export function checkArchitecture({ base, release, image }: FoundBase, arch: string): void {
  const known = release === undefined ? undefined : architecturesOf(base, release);
  if (release !== undefined && known !== undefined && !known.includes(arch)) {
    throw new IngotError('usage', 'arch-unsupported', `${release.id} cannot be built for ${arch}`, {
      hint: `Supported${SUPPORTED_BY[base.kind] ?? ''}: ${known.join(', ')}.`,
    });
  }
  if (image !== undefined && image.architecture !== arch) {
    throw new IngotError('usage', 'arch-unsupported', `the image is for ${image.architecture}, so what is built on it cannot be for ${arch}`);
  }
}

const SUPPORTED_BY: Readonly<Partial<Record<Base['kind'], string>>> = { 'cloud-image': ' by its cloud images', installer: ' by its installer' };

/** An image or medium that the user has is for what it is for. */
function architecturesOf(base: Base, release: Release): readonly string[] {
  if (base.kind === 'release') return Object.keys(release.bootstrap?.kernels ?? {});
  if (base.kind === 'installer') return base.medium.kind === 'catalog' ? Object.keys(release.installer?.media ?? {}) : ARCHITECTURES;
  if (base.kind === 'cloud-image' && base.origin === undefined) return Object.keys(release.images);
  return release.architectures;
}

/** What the catalog knows of the disk of a release's cloud image, before it has been looked at. */
function cloudDisk({ base, release }: FoundBase): (Pick<ImageDisk, 'firmware' | 'filesystem'> & { readonly size?: number }) | undefined {
  if (base.kind !== 'cloud-image' || release === undefined) return undefined;
  const [only, other] = release.firmware;
  return { filesystem: release.filesystem ?? '', ...(only === undefined || other !== undefined ? {} : { firmware: only }) };
}

type ImageDisk = ImageConfig['dev.ingot.image']['disk'];

/** Bytes; 0 for a disk that has not been looked at. */
function defaultSize({ base, image }: FoundBase): number {
  return image?.['dev.ingot.image'].disk.size ?? (base.kind === 'cloud-image' ? 0 : base.kind === 'installer' ? INSTALLED_DISK_SIZE : DEFAULT_DISK_SIZE);
}

/** Of a root that an installer makes and nothing is said of: what its distribution is known to take. */
function installedFilesystem({ base, release }: FoundBase): Filesystem | undefined {
  return base.kind === 'installer' ? release?.filesystem : undefined;
}

/** The disk as flags, the template and the image below say, in this order; problems are told with `problem`. */
export function diskOptions(
  disk: Template['disk'],
  overrides: { readonly size?: string | undefined; readonly filesystem?: Filesystem | undefined },
  found: FoundBase,
  problem: (path: Path, message: string) => void,
): DiskOptions {
  const { image } = found;
  const below = image?.['dev.ingot.image'].disk ?? cloudDisk(found);
  const size = parseSize(overrides.size ?? disk?.size ?? String(defaultSize(found)));
  const least = below?.size ?? (found.base.kind === 'cloud-image' ? 0 : MINIMUM_DISK);
  if (size < least)
    problem(['disk', 'size'], `is ${formatSize(size)}, but ${below === undefined ? 'an image needs' : 'the image below has'} ${formatSize(least)}`);
  const belowFilesystem = filesystemSchema.safeParse(below?.filesystem).data;
  const filesystem = overrides.filesystem ?? disk?.filesystem ?? belowFilesystem ?? installedFilesystem(found) ?? 'ext4';
  if (belowFilesystem !== undefined && filesystem !== belowFilesystem)
    problem(['disk', 'filesystem'], `cannot be ${filesystem}: the image below has ${belowFilesystem}`);
  const { base } = found;
  for (const key of ['partitions', 'lvm', ...(base.kind === 'installer' && base.answers !== undefined ? (['filesystem'] as const) : [])] as const) {
    if (base.kind === 'installer' && disk?.[key] !== undefined) problem(['disk', key], 'cannot be said here: the installer makes the partitions');
    if (below !== undefined && disk?.[key] !== undefined) problem(['disk', key], 'cannot be said here: the disk is that of the image below');
  }
  if (base.kind === 'installer' && disk?.firmware === 'both')
    problem(['disk', 'firmware'], 'cannot be both: an installer makes a disk for the one that it was started by');
  const belowFirmware = below === undefined ? 'both' : (below.firmware ?? 'both');
  if (disk?.firmware !== undefined && belowFirmware !== 'both' && disk.firmware !== belowFirmware)
    problem(['disk', 'firmware'], `cannot be ${disk.firmware}: the image below is started by ${belowFirmware} alone`);
  const firmware = disk?.firmware ?? (belowFirmware === 'both' ? undefined : belowFirmware);
  const partitions = disk?.partitions?.map(({ mount, size: text, filesystem: kind }) => ({ mount, size: parseSize(text), filesystem: kind }));
  for (const [i, { mount }] of (partitions ?? []).entries()) {
    const refused = mountProblem(mount);
    if (refused !== undefined) problem(['disk', 'partitions', i, 'mount'], `cannot be a partition of its own: ${refused}`);
    if (partitions?.findIndex((other) => other.mount === mount) !== i) problem(['disk', 'partitions', i, 'mount'], 'is there twice');
  }
  return {
    size,
    filesystem,
    ...(firmware === undefined ? {} : { firmware }),
    ...(disk?.swap === undefined ? {} : { swap: parseSize(disk.swap) }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(disk?.lvm === undefined ? {} : { lvm: disk.lvm }),
  };
}

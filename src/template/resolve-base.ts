import { IngotError, nearest } from '../base/errors.ts';
import { formatSize, hostPath, parseSize } from '../base/types.ts';
import { findRelease, knownRelease, releases } from '../catalog/catalog.ts';
import type { CatalogData, Release } from '../catalog/schema.ts';
import { filesystemSchema, MINIMUM_DISK, type Filesystem } from '../disk/layout.ts';
import { mountProblem } from '../disk/mounts.ts';
import type { Context } from '../operations/operation.ts';
import type { ImageConfig } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import type { Template } from './schema.ts';
import type { Path, Scope } from './scope.ts';
import { DEFAULT_DISK_SIZE, type Base, type DiskOptions } from './template.ts';

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
    return await imageBase(context, text);
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

function releaseBase(catalog: CatalogData, id: string): FoundBase {
  const release = findRelease(catalog, id);
  return { base: { kind: 'release', release: release.id }, release };
}

async function imageBase(context: Context, reference: string): Promise<FoundBase> {
  const image = await openStore(context.host, context.home).resolve(reference);
  return { base: { kind: 'image', reference }, image: image.config };
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
  if (typeof from === 'string') return await scope.attempt(['from'], () => findBase(context, catalog, from));
  if ('release' in from) return await scope.attempt(['from', 'release'], () => releaseBase(catalog, from.release));
  if ('image' in from) return await scope.attempt(['from', 'image'], () => imageBase(context, from.image));
  if ('url' in from) return { base: { kind: 'url', url: from.url, sha256: from.sha256 } };
  const at = ['from', 'file'];
  // A disk is large and lies where disks lie: only here a path may be absolute.
  const found = from.file.startsWith('/') ? await absoluteFile(scope, at, from.file) : await scope.fileAt(at, from.file);
  if (found === undefined) return undefined;
  if (found.kind === 'file') return { base: { kind: 'file', path: found.path } };
  scope.problem(at, `${from.file} is a folder, not a disk`);
  return undefined;
}

async function absoluteFile(scope: Scope, at: Path, text: string): Promise<{ readonly path: ReturnType<typeof hostPath>; readonly kind: 'file' } | undefined> {
  const { files } = scope.context.host;
  const real = await files.resolveLinks(text);
  if (real !== undefined && (await files.status(real))?.kind === 'file') return { path: hostPath(real), kind: 'file' };
  scope.problem(at, real === undefined ? `there is no ${text}` : `${text} is not a file`);
  return undefined;
}

/** Checks that the architecture is there; throws `arch-unsupported` and `source-unsupported`. */
export function checkArchitecture({ release, image }: FoundBase, arch: string): void {
  if (release?.architectures.length === 0) {
    throw new IngotError('usage', 'source-unsupported', `Of ${release.id} there is only an installer, from which ingot does not build yet`, {
      hint: 'Install it yourself, and start from its disk: `from: { file: … }`.',
    });
  }
  if (release !== undefined && !release.architectures.some((known) => known === arch)) {
    throw new IngotError('usage', 'arch-unsupported', `${release.id} cannot be built for ${arch}`, {
      hint: `Supported: ${release.architectures.join(', ')}.`,
    });
  }
  if (image !== undefined && image.architecture !== arch) {
    throw new IngotError('usage', 'arch-unsupported', `the image is for ${image.architecture}, so what is built on it cannot be for ${arch}`);
  }
}

/** The disk as flags, the template and the image below say, in this order; problems are told with `problem`. */
export function diskOptions(
  disk: Template['disk'],
  overrides: { readonly size?: string | undefined; readonly filesystem?: Filesystem | undefined },
  { image }: FoundBase,
  problem: (path: Path, message: string) => void,
): DiskOptions {
  const below = image?.['dev.ingot.image'].disk;
  const size = parseSize(overrides.size ?? disk?.size ?? String(below?.size ?? DEFAULT_DISK_SIZE));
  const least = below?.size ?? MINIMUM_DISK;
  if (size < least)
    problem(['disk', 'size'], `is ${formatSize(size)}, but ${below === undefined ? 'an image needs' : 'the image below has'} ${formatSize(least)}`);
  const belowFilesystem = filesystemSchema.safeParse(below?.filesystem).data;
  const filesystem = overrides.filesystem ?? disk?.filesystem ?? belowFilesystem ?? 'ext4';
  if (belowFilesystem !== undefined && filesystem !== belowFilesystem)
    problem(['disk', 'filesystem'], `cannot be ${filesystem}: the image below has ${belowFilesystem}`);
  for (const key of ['partitions', 'lvm', 'firmware'] as const) {
    if (below !== undefined && disk?.[key] !== undefined) problem(['disk', key], 'cannot be said here: the disk is that of the image below');
  }
  const partitions = disk?.partitions?.map(({ mount, size: text, filesystem: kind }) => ({ mount, size: parseSize(text), filesystem: kind }));
  for (const [i, { mount }] of (partitions ?? []).entries()) {
    const refused = mountProblem(mount);
    if (refused !== undefined) problem(['disk', 'partitions', i, 'mount'], `cannot be a partition of its own: ${refused}`);
    if (partitions?.findIndex((other) => other.mount === mount) !== i) problem(['disk', 'partitions', i, 'mount'], 'is there twice');
  }
  return {
    size,
    filesystem,
    ...(disk?.firmware === undefined ? {} : { firmware: disk.firmware }),
    ...(disk?.swap === undefined ? {} : { swap: parseSize(disk.swap) }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(disk?.lvm === undefined ? {} : { lvm: disk.lvm }),
  };
}

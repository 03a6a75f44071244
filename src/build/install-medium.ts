import { IngotError } from '../base/errors.ts';
import { FileDigests } from '../base/file-digests.ts';
import { hashValue } from '../base/hash.ts';
import { parseDigest, type HostPath } from '../base/types.ts';
import type { Architecture } from '../catalog/cloud-image-schema.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { fetchMedium, mediumOf, promisedMedium, type MediumRecord } from '../sources/installer/medium.ts';
import type { InstallerBase } from '../template/template.ts';
import type { ResolvedImage } from './cloud-image.ts';

export interface MediumOptions {
  readonly offline: boolean;
  /** The medium that a lock file pins. */
  readonly locked?: ResolvedImage | undefined;
}

/** A medium, as it lies on this host. */
export interface TheMedium {
  readonly resolved: ResolvedImage;
  readonly iso?: HostPath;
  readonly netboot?: { readonly kernel: HostPath; readonly initrd: HostPath };
}

/** What the medium is, where that is known without fetching it. */
export async function knownMedium(
  context: Context,
  base: InstallerBase,
  release: Release,
  arch: Architecture,
  options: MediumOptions,
): Promise<ResolvedImage | undefined> {
  if (base.medium.kind !== 'catalog') return (await theMedium(context, base, release, arch, options)).resolved;
  if (options.locked !== undefined) return options.locked;
  const promised = await promisedMedium(context, release, arch, options);
  if (promised === undefined) return undefined;
  if (typeof promised === 'object') return resolvedOf(promised);
  const { url, signature } = mediumOf(release, arch);
  return { url, digest: promised, vouched: signature !== undefined };
}

function resolvedOf({ url, sha256, vouched }: MediumRecord): ResolvedImage {
  return { url, digest: parseDigest(`sha256:${sha256}`), vouched };
}

/**
 * The medium itself, fetched where it is not there. Throws `file-missing`, `lock-stale`, and what fetching one throws.
 */
export async function theMedium(
  context: Context,
  { medium }: InstallerBase,
  release: Release,
  arch: Architecture,
  { offline, locked }: MediumOptions,
): Promise<TheMedium> {
  if (medium.kind === 'catalog') {
    const { path, record } = await fetchMedium(context, release, arch, { offline, digest: locked?.digest });
    return { resolved: locked ?? resolvedOf(record), iso: path };
  }
  const paths = medium.kind === 'iso' ? [medium.path] : [medium.kernel, medium.initrd];
  const [first = '', second] = await digestsOf(context, paths);
  const hex = second === undefined ? first : hashValue([first, second]);
  const resolved = { url: paths.map((path) => `file:${path}`).join(' '), digest: parseDigest(`sha256:${hex}`), vouched: false };
  if (locked !== undefined && locked.digest !== resolved.digest) {
    throw new IngotError('conflict', 'lock-stale', `${paths.join(', ')} is another medium than the one that is locked`, {
      hint: 'Write the lock anew with `ingot lock`.',
    });
  }
  return medium.kind === 'iso' ? { resolved, iso: medium.path } : { resolved, netboot: medium };
}

async function digestsOf({ host, home }: Context, paths: readonly HostPath[]): Promise<string[]> {
  const digests = await FileDigests.open(host, home);
  const found: string[] = [];
  for (const path of paths) {
    const status = await host.files.status(path);
    if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no ${path}`);
    found.push(await digests.of(path, status));
  }
  await digests.save();
  return found;
}

import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { readTextIfThere, replaceFile } from '../../base/files.ts';
import { hashValue } from '../../base/hash.ts';
import { hostPath, parseDigest, type Digest, type HostPath } from '../../base/types.ts';
import { loadCatalog, releases } from '../../catalog/catalog.ts';
import { ARCHITECTURES, type Architecture, type CloudImage } from '../../catalog/cloud-image-schema.ts';
import type { Release } from '../../catalog/schema.ts';
import type { Context } from '../../operations/operation.ts';
import { fetchCloudImage } from '../cloud-image/fetch.ts';
import { fetchOptionsOf } from '../cloud-image/release-options.ts';
import { readPromise } from '../cloud-image/trust.ts';

type MediumContext = Pick<Context, 'host' | 'home' | 'settings' | 'events' | 'signal'>;

const recordSchema = z.object({
  v: z.literal(1),
  release: z.string(),
  arch: z.enum(ARCHITECTURES),
  url: z.string(),
  name: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative(),
  vouched: z.boolean(),
  /** The digest by which the mirror calls it. */
  promised: z.string().optional(),
  fetched: z.iso.datetime(),
});
/** What is known of a medium that was fetched. */
export type MediumRecord = z.output<typeof recordSchema>;

/** A medium as it lies in the cache. */
export interface FetchedMedium {
  readonly path: HostPath;
  readonly record: MediumRecord;
}

/** The installer's medium of a release as a file to be fetched like a cloud image. Throws `source-unsupported`, `arch-unsupported` and `login-needed`. */
export function mediumOf(release: Release, arch: Architecture): CloudImage {
  const { installer, id } = release;
  if (installer === undefined) {
    throw new IngotError('usage', 'source-unsupported', `The catalog knows no installer of ${id}`, { hint: '`ingot iso list` shows those that it knows.' });
  }
  const medium = installer.media[arch];
  if (medium === undefined) {
    throw new IngotError('usage', 'arch-unsupported', `${id} has no installer for ${arch}`, {
      hint: `It has them for ${Object.keys(installer.media).join(', ')}.`,
    });
  }
  const { url, checksum, signature, login, seen, inferred } = medium;
  if (login !== undefined) {
    throw new IngotError('usage', 'login-needed', `The installer of ${id} needs a login: ${login}`, {
      hint: `Download it from ${url}, and start from the file: \`from: { iso: …, release: ${id} }\`.`,
    });
  }
  const proof = { ...(checksum === undefined ? {} : { checksum }), ...(signature === undefined ? {} : { signature }) };
  return { url, mirrors: [], format: 'raw', compression: 'none', seen, inferred, ...proof };
}

export interface MediumOptions {
  readonly offline: boolean;
  /** The very one, by its SHA-256. */
  readonly digest?: Digest | undefined;
}

/**
 * What the medium of a release is by now, without fetching it; undefined where only fetching it tells. Throws what {@link mediumOf} and reading a checksum list throw.
 */
export async function promisedMedium(
  context: MediumContext,
  release: Release,
  arch: Architecture,
  { offline }: MediumOptions,
): Promise<MediumRecord | Digest | undefined> {
  const record = await readRecord(context, release, arch);
  if (offline) return record;
  const promised = await readPromise(context.host, mediumOf(release, arch), await fetchOptionsOf(context, release, false)).catch((error: unknown) => {
    if (error instanceof IngotError && error.class === 'upstream') return undefined; // fetching says so
    throw error;
  });
  if (promised === undefined) return undefined;
  const { algorithm, hex } = promised.digest;
  if (record?.promised === `${algorithm}:${hex}`) return record;
  return algorithm === 'sha256' ? parseDigest(`sha256:${hex}`) : undefined;
}

/** Fetches the medium of a release into the cache, or finds it there, and proves it. Throws what {@link mediumOf} and fetching a cloud image throw. */
export async function fetchMedium(context: MediumContext, release: Release, arch: Architecture, options: MediumOptions): Promise<FetchedMedium> {
  const { host, home } = context;
  const image = mediumOf(release, arch);
  return await context.events.stage(`installer of ${release.id}`, async (span) => {
    const fetched = await fetchCloudImage(host, image, {
      ...(await fetchOptionsOf(context, release, options.offline)),
      ...(options.digest === undefined ? {} : { digest: options.digest }),
      onProgress: (done, total) => span.progress(done, total, 'bytes'),
    });
    const promised = await readPromise(host, image, await fetchOptionsOf(context, release, true)).catch(() => undefined);
    const record: MediumRecord = {
      v: 1,
      release: release.id,
      arch,
      url: fetched.url ?? image.url,
      name: fetched.name,
      sha256: fetched.sha256,
      size: fetched.size,
      vouched: fetched.vouched === 'signature',
      ...(promised === undefined ? {} : { promised: `${promised.digest.algorithm}:${promised.digest.hex}` }),
      fetched: host.clock.now().toISOString(),
    };
    await host.files.makeDirectory(home.resolutions);
    await replaceFile(host.files, recordPath(context, release.id, arch), JSON.stringify(record));
    return { path: fetched.path, record };
  });
}

/** A medium that the catalog knows, or that is in the cache. */
export interface ListedMedium {
  readonly release: Release;
  readonly arch: Architecture;
  readonly method: string;
  readonly url: string;
  readonly login: string | undefined;
  /** Where it is in the cache. */
  readonly cached?: FetchedMedium;
}

/** Every medium that the catalog knows, with what of it is in the cache. */
export async function listMedia(context: MediumContext): Promise<ListedMedium[]> {
  const all = releases(await loadCatalog(context)).flatMap((release) => {
    const { installer } = release;
    return ARCHITECTURES.flatMap((arch) => {
      const medium = installer?.media[arch];
      return installer === undefined || medium === undefined ? [] : [{ release, arch, method: installer.method, url: medium.url, login: medium.login }];
    });
  });
  return await Promise.all(
    all.map(async (medium) => {
      const cached = await cachedMedium(context, medium.release, medium.arch);
      return { ...medium, ...(cached === undefined ? {} : { cached }) };
    }),
  );
}

/** The medium in the cache; undefined where it is not. */
async function cachedMedium(context: MediumContext, release: Release, arch: Architecture): Promise<FetchedMedium | undefined> {
  const record = await readRecord(context, release, arch);
  if (record === undefined) return undefined;
  const path = hostPath(join(context.home.disks, record.sha256));
  return (await context.host.files.status(path)) === undefined ? undefined : { path, record };
}

/** Removes a medium from the cache; what was installed from it stays. Throws `iso-missing`. */
export async function removeMedium(context: MediumContext, release: Release, arch: Architecture): Promise<MediumRecord> {
  const cached = await cachedMedium(context, release, arch);
  if (cached === undefined) {
    throw new IngotError('not-found', 'iso-missing', `The installer of ${release.id} for ${arch} is not in the cache`, {
      hint: '`ingot iso list --cached` shows what is.',
    });
  }
  await context.host.files.remove(cached.path);
  await context.host.files.remove(recordPath(context, release.id, arch));
  return cached.record;
}

function recordPath({ home }: Pick<MediumContext, 'home'>, release: string, arch: Architecture): HostPath {
  return hostPath(join(home.resolutions, `medium-${hashValue([release, arch]).slice(0, 32)}.json`));
}

async function readRecord(context: MediumContext, release: Release, arch: Architecture): Promise<MediumRecord | undefined> {
  const text = await readTextIfThere(context.host.files, recordPath(context, release.id, arch));
  try {
    return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // asked again
  }
}

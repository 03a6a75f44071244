import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { FileDigests } from '../base/file-digests.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { hashValue } from '../base/hash.ts';
import { takeLock } from '../base/lock.ts';
import { openSecrets } from '../base/secrets.ts';
import { hexOf, hostPath, parseDigest, parseName, type Digest, type HostPath } from '../base/types.ts';
import type { CloudImage } from '../catalog/cloud-image-schema.ts';
import type { Release } from '../catalog/schema.ts';
import type { Context } from '../operations/operation.ts';
import { fetchOptionsOf } from '../sources/cloud-image/release-options.ts';
import type { FetchedImage, FetchImageOptions } from '../sources/cloud-image/fetch.ts';
import type { Base, ImageOrigin } from '../template/template.ts';
import { diskKey } from './foreign-disk.ts';
import { isTaken, takeIn } from './take-in.ts';

export type CloudBase = Extract<Base, { kind: 'cloud-image' }>;

/** What the name of a release meant: the resolution that a lock file pins, and that --offline goes by. */
export interface ResolvedImage {
  readonly url: string;
  /** SHA-256 of the file. */
  readonly digest: Digest;
  /** A signature vouched for it. */
  readonly vouched: boolean;
}

export interface CloudImageOptions {
  readonly offline: boolean;
  /** Take this very one, whatever the release's address leads to by now. */
  readonly locked?: ResolvedImage | undefined;
}

export interface StoredCloudImage {
  /** `name:tag` in the store. */
  readonly reference: string;
  readonly resolved: ResolvedImage;
}

const recordSchema = z.object({
  v: z.literal(1),
  release: z.string(),
  arch: z.string(),
  url: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  vouched: z.boolean(),
  /** The digest by which the mirror calls it. */
  promised: z.string().optional(),
  seen: z.iso.datetime(),
  /** What vouched for it, and the primary key that has signed. Absent in records of before. */
  by: z.enum(['signature', 'checksum', 'pinned', 'digest', 'nothing']).optional(),
  signer: z.string().optional(),
});
type Record = z.output<typeof recordSchema>;

/** What is known of how a cloud image came into the store. */
export interface ImageResolution extends ResolvedImage {
  /** `catalog`: the release's name meant it; `given`: the template, or a lock file, names the file itself. */
  readonly from: 'catalog' | 'given';
  /** What the publisher's list called it: `sha512:…`. */
  readonly promised?: string | undefined;
  readonly by?: Record['by'];
  /** Fingerprint of the primary key that has signed, and whose it is. */
  readonly signer?: { readonly fingerprint: string; readonly owner?: string | undefined } | undefined;
  /** Addresses of the list of checksums and of its signature, or that of the image. */
  readonly checksums?: string | undefined;
  readonly signature?: string | undefined;
  /** When the name was last seen to mean this file. */
  readonly seen?: string | undefined;
}

/** Tells what is remembered of an image that a build starts from: how its release's name was resolved, and why it is trusted. */
export async function imageResolution(context: Context, release: Release, arch: string, resolved: ResolvedImage): Promise<ImageResolution> {
  const image = Object.entries(release.images).find(([known]) => known === arch)?.[1];
  const record = image === undefined ? undefined : await readRecord(context, release, arch, image);
  if (image === undefined || record === undefined || record.sha256 !== hexOf(resolved.digest)) return { ...resolved, from: 'given' };
  const { promised, by, signer, seen } = record;
  const owner = release.keys.find(({ fingerprint }) => fingerprint === signer)?.owner;
  return {
    ...resolved,
    from: 'catalog',
    promised,
    by,
    seen,
    ...(signer === undefined ? {} : { signer: { fingerprint: signer, owner } }),
    checksums: image.checksum?.url,
    signature: image.signature?.kind === 'inline' ? image.checksum?.url : image.signature?.url,
  };
}

/**
 * The image of the store that the cloud image of a release has become: called like the release, with the tag `cloud-` and the beginning of the file's
 * SHA-256. A rolling address is asked for what it has now; what the store has already is not downloaded again. Throws what downloading and
 * verifying throw, what taking a disk in throws, `login-needed` and `source-unsupported`.
 */
export async function storedCloudImage(
  context: Context,
  base: CloudBase,
  release: Release,
  arch: string,
  options: CloudImageOptions,
): Promise<StoredCloudImage> {
  const { origin } = base;
  if (options.locked !== undefined) return await storedLocked(context, release, arch, options.locked, origin, options);
  if (origin?.kind === 'file') return await storedFile(context, release, arch, origin.path, options);
  if (origin?.kind === 'url') {
    const resolved = { url: origin.url, digest: parseDigest(`sha256:${origin.sha256}`), vouched: false };
    return await storedLocked(context, release, arch, resolved, origin, options);
  }
  const image = imageOf(release, arch);
  const record = await readRecord(context, release, arch, image);
  const known = record === undefined ? undefined : { url: record.url, digest: parseDigest(`sha256:${record.sha256}`), vouched: record.vouched };
  const there = known !== undefined && (await isTaken(context, referenceOf(release, known.digest), diskKey(known.digest)));
  if (known !== undefined && there && (options.offline || (await isCurrent(context, image, release, record)))) {
    if (!options.offline && record !== undefined) await keepRecord(context, release, arch, image, { ...record, seen: context.host.clock.now().toISOString() });
    return { reference: referenceOf(release, known.digest), resolved: known };
  }
  const fetched = await fetch(context, image, release, { offline: options.offline });
  const resolved = { url: fetched.url ?? known?.url ?? image.url, digest: parseDigest(`sha256:${fetched.sha256}`), vouched: fetched.vouched === 'signature' };
  await store(context, release, arch, { path: fetched.path, resolved, member: image.member }, options);
  await writeRecord(context, release, arch, image, resolved, fetched);
  return { reference: referenceOf(release, resolved.digest), resolved };
}

function referenceOf(release: Release, digest: Digest): string {
  return `${parseName(release.id, 'an image')}:${tagOf(digest)}`;
}

function tagOf(digest: Digest): string {
  return `cloud-${hexOf(digest).slice(0, 12)}`;
}

/** What the catalog knows of a release's image; where it is behind a login, the user has to have it. */
function imageOf(release: Release, arch: string): CloudImage {
  const image = Object.entries(release.images).find(([known]) => known === arch)?.[1];
  if (image === undefined) {
    throw new IngotError('usage', 'arch-unsupported', `${release.id} has no cloud image for ${arch}`, {
      hint: `It has them for ${Object.keys(release.images).join(', ')}.`,
    });
  }
  if (image.login === undefined) return image;
  throw new IngotError('usage', 'login-needed', `The cloud image of ${release.id} is behind the login of ${image.login}`, {
    hint: `Download it from ${image.url}, and start from the file: \`from: { release: ${release.id}, file: … }\`; or from an address with \`url\`, \`sha256\` and \`authorization\`.`,
  });
}

/** Whether the mirror still means what the record says. A mirror that does not answer has the download say so. */
async function isCurrent(context: Context, image: CloudImage, release: Release, record: Record | undefined): Promise<boolean> {
  const { readPromise } = await import('../sources/cloud-image/trust.ts');
  try {
    const promised = await readPromise(context.host, image, await fetchOptionsOf(context, release, false));
    return promised !== undefined && record?.promised === `${promised.digest.algorithm}:${promised.digest.hex}`;
  } catch (error) {
    if (error instanceof IngotError && error.class === 'upstream') return false;
    throw error;
  }
}

async function fetch(
  context: Context,
  image: CloudImage,
  release: Release,
  more: Partial<FetchImageOptions> & { readonly offline: boolean },
): Promise<FetchedImage> {
  const { fetchCloudImage } = await import('../sources/cloud-image/fetch.ts');
  const stage = context.events.span('stage', `cloud image of ${release.id}`);
  try {
    const options = { ...(await fetchOptionsOf(context, release, more.offline)), ...more };
    const fetched = await fetchCloudImage(context.host, image, { ...options, onProgress: (done, total) => stage.progress(done, total, 'bytes') });
    stage.end('done');
    return fetched;
  } catch (error) {
    stage.end('failed');
    throw error;
  }
}

/** The very image that a lock file, or the user, names by its checksum. */
async function storedLocked(
  context: Context,
  release: Release,
  arch: string,
  resolved: ResolvedImage,
  origin: ImageOrigin | undefined,
  options: CloudImageOptions,
): Promise<StoredCloudImage> {
  const reference = referenceOf(release, resolved.digest);
  if (await isTaken(context, reference, diskKey(resolved.digest))) return { reference, resolved };
  if (origin?.kind === 'file') {
    const found = await storedFile(context, release, arch, origin.path, options);
    if (found.resolved.digest === resolved.digest) return found;
    throw new IngotError('conflict', 'lock-stale', `${origin.path} is another image than the one that is locked`, {
      hint: 'Write the lock anew with `ingot lock`.',
    });
  }
  const member = Object.entries(release.images).find(([known]) => known === arch)?.[1]?.member;
  const image: CloudImage = { url: resolved.url, mirrors: [], format: 'qcow2', compression: 'none', member, seen: 'the template', inferred: false };
  const secret = origin?.kind === 'url' ? origin.authorization : undefined;
  const headers = secret === undefined ? {} : { headers: { Authorization: await (await openSecrets(context)).value(secret) } };
  const { path } = await fetch(context, image, release, { offline: options.offline, digest: resolved.digest, ...headers });
  await store(context, release, arch, { path, resolved, member }, options);
  return { reference, resolved };
}

async function storedFile(context: Context, release: Release, arch: string, path: HostPath, options: CloudImageOptions): Promise<StoredCloudImage> {
  const { host, home } = context;
  const status = await host.files.status(path);
  if (status === undefined) throw new IngotError('not-found', 'file-missing', `There is no ${path}`);
  const digests = await FileDigests.open(host, home);
  const digest = parseDigest(`sha256:${await digests.of(path, status)}`);
  await digests.save();
  const resolved = { url: `file:${path}`, digest, vouched: false };
  const member = Object.entries(release.images).find(([known]) => known === arch)?.[1]?.member;
  await store(context, release, arch, { path, resolved, member }, options);
  return { reference: referenceOf(release, digest), resolved };
}

async function store(
  context: Context,
  release: Release,
  arch: string,
  { path, resolved: { digest, vouched }, member }: { readonly path: HostPath; readonly resolved: ResolvedImage; readonly member?: string | undefined },
  { offline }: CloudImageOptions,
): Promise<void> {
  const { host, home, signal, events } = context;
  const name = parseName(release.id, 'an image');
  const [reference, key] = [referenceOf(release, digest), diskKey(digest)];
  if (await isTaken(context, reference, key)) return;
  const what = `taking the cloud image of ${name} into the store`;
  await using _lock = await takeLock(host, home, `disk-${hexOf(digest).slice(0, 16)}`, {
    what,
    signal,
    onWait: () => events.message('info', `Waiting for another command that is ${what}.`),
  });
  if (await isTaken(context, reference, key)) return;
  await events.stage(`cloud image of ${name} into the store`, () =>
    takeIn(context, { path, digest, key, name, tag: tagOf(digest), member, vouched, cloudImage: { release, arch }, offline }),
  );
}

/** Another address or signature in the catalog is another question. */
function recordPath({ home }: Context, release: Release, arch: string, image: CloudImage): HostPath {
  return hostPath(join(home.resolutions, `image-${hashValue([release.id, arch, image]).slice(0, 32)}.json`));
}

async function readRecord(context: Context, release: Release, arch: string, image: CloudImage): Promise<Record | undefined> {
  const text = await readTextIfThere(context.host.files, recordPath(context, release, arch, image));
  try {
    return text === undefined ? undefined : recordSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // asked again
  }
}

async function writeRecord(
  context: Context,
  release: Release,
  arch: string,
  image: CloudImage,
  { url, digest, vouched }: ResolvedImage,
  { vouched: by, fingerprint }: FetchedImage,
): Promise<void> {
  const { readPromise } = await import('../sources/cloud-image/trust.ts');
  // What was just read: offline asks nobody.
  const promised = await readPromise(context.host, image, await fetchOptionsOf(context, release, true)).catch(() => undefined);
  const record: Record = {
    v: 1,
    release: release.id,
    arch,
    url,
    sha256: hexOf(digest),
    vouched,
    ...(promised === undefined ? {} : { promised: `${promised.digest.algorithm}:${promised.digest.hex}` }),
    seen: context.host.clock.now().toISOString(),
    by,
    ...(fingerprint === undefined ? {} : { signer: fingerprint }),
  };
  await keepRecord(context, release, arch, image, record);
}

async function keepRecord(context: Context, release: Release, arch: string, image: CloudImage, record: Record): Promise<void> {
  await context.host.files.makeDirectory(context.home.resolutions);
  await replaceFile(context.host.files, recordPath(context, release, arch, image), JSON.stringify(record));
}

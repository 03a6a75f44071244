import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { shownValue } from '../../base/settings.ts';
import { fetchLargeFile, type ExpectedDigest, type FetchedFile, type LargeFileOptions } from '../../base/transfer/large-file.ts';
import type { CloudImage } from '../../catalog/cloud-image-schema.ts';
import { imageSignature, nameOf, readPromise, type Promised, type TrustOptions } from './trust.ts';

/** No image of a distribution is larger. */
const MOST_IMAGE = 64 * 2 ** 30;

export interface FetchImageOptions extends TrustOptions, LargeFileOptions {
  /** The user's own mirrors, before those of the catalog: the same file, or the folder where the catalog only knows a pattern. */
  readonly mirrors?: readonly string[];
  /** The user's own word on what the image is, `sha256:…` or `sha512:…`: it takes the place of checksum file and signature. */
  readonly digest?: string | undefined;
  /** The user's own decision to take an image that nothing vouches for. */
  readonly unverified?: boolean;
}

/**
 * What vouches for an image: a signature of its checksum file or of itself, a checksum file alone, the digest that the catalog pins, or the user gives; or nothing,
 * by the user's own decision.
 */
export type Vouched = 'signature' | 'checksum' | 'pinned' | 'digest' | 'nothing';

export interface FetchedImage extends FetchedFile {
  readonly format: CloudImage['format'];
  readonly compression: CloudImage['compression'];
  /** The name of the file, which says which build it is. */
  readonly name: string;
  readonly vouched: Vouched;
  /** The primary key that has signed, where `vouched` is `signature`. */
  readonly fingerprint?: string;
}

/**
 * Fetches a cloud image, or finds it in the cache, and proves it: the signature of the checksum file, then the checksum, which the file has to have; or the signature
 * of the image itself. Where the list or the image of a rolling address cannot be reached, the build whose digest the catalog pins stands in, and that is said; never where it was
 * reached and is wrong. Throws `image-unverified`, and what {@link fetchLargeFile} and {@link readPromise} throw.
 */
export async function fetchCloudImage(host: Host, image: CloudImage, options: FetchImageOptions): Promise<FetchedImage> {
  if (options.digest !== undefined) {
    const urls = addresses(image, options, undefined);
    return await fetchAs(host, image, options, { urls, name: nameOf(image.url), digest: parseExpected(options.digest), vouched: 'digest' });
  }
  let promised: Promised | undefined;
  try {
    promised = await readPromise(host, image, options);
  } catch (error) {
    return await fetchPinned(host, image, options, error);
  }
  if (promised === undefined) return await fetchUnlisted(host, image, options);
  try {
    return await fetchPromised(host, image, options, promised);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'download-mismatch' || options.offline) return await fetchPinned(host, image, options, error);
    // A new build may have come between list and image.
    const again = await readPromise(host, image, options);
    if (again === undefined || again.digest.hex === promised.digest.hex) throw error;
    options.onMessage?.('info', `${shownValue(image.url)} was replaced meanwhile; it is fetched again.`);
    return await fetchPromised(host, image, options, again);
  }
}

async function fetchPromised(host: Host, image: CloudImage, options: FetchImageOptions, promised: Promised): Promise<FetchedImage> {
  const { digest, name, fingerprint } = promised;
  const urls = addresses(image, options, name);
  if (fingerprint === undefined && image.signature === undefined && new URL(image.checksum?.url ?? image.url).protocol === 'http:') {
    options.onMessage?.(
      'warn',
      `Nobody has signed ${shownValue(image.checksum?.url)}, and it came over http: it only proves that nothing was damaged on the way.`,
    );
  }
  return await fetchAs(host, image, options, {
    urls,
    name,
    digest,
    ...(fingerprint === undefined ? { vouched: 'checksum' } : { vouched: 'signature', fingerprint }),
  });
}

/** There is no checksum file: the image's own signature has to do, the catalog's digest, or the user's decision. */
async function fetchUnlisted(host: Host, image: CloudImage, options: FetchImageOptions): Promise<FetchedImage> {
  const urls = addresses(image, options, undefined);
  const name = nameOf(image.url);
  if (image.signature !== undefined) return await fetchAs(host, image, options, { urls, name, vouched: 'signature' });
  if (image.pinned !== undefined) return await pinnedBuild(host, image, options, image.pinned);
  if (options.unverified === true) {
    options.onMessage?.('warn', `Nothing vouches for ${shownValue(image.url)}; it is taken as it is, as you decided.`);
    return await fetchAs(host, image, options, { urls, name, vouched: 'nothing' });
  }
  throw new IngotError('verification', 'image-unverified', `Nothing vouches for ${shownValue(image.url)}: it has neither checksum nor signature`, {
    hint: 'Give its digest, as sha256:…, from a source that you trust.',
  });
}

/** A list that cannot be reached is no reason to distrust anything; one that was reached and is wrong is. */
async function fetchPinned(host: Host, image: CloudImage, options: FetchImageOptions, error: unknown): Promise<FetchedImage> {
  const away = error instanceof IngotError && (error.code === 'download-failed' || error.code === 'offline-missing');
  if (!away || image.pinned === undefined || options.signal.aborted) throw error;
  options.onMessage?.('warn', `${error.message}; taking the build that the catalog pins, ${nameOf(image.pinned.url)}.`);
  return await pinnedBuild(host, image, options, image.pinned);
}

async function pinnedBuild(host: Host, image: CloudImage, options: FetchImageOptions, pinned: NonNullable<CloudImage['pinned']>): Promise<FetchedImage> {
  const { url, digest, size } = pinned;
  return await fetchAs(host, image, options, { urls: [url], name: nameOf(url), digest: parseExpected(digest), size, vouched: 'pinned' });
}

interface Way {
  readonly urls: readonly string[];
  readonly name: string;
  readonly digest?: ExpectedDigest;
  readonly size?: number | undefined;
  readonly vouched: Vouched;
  readonly fingerprint?: string;
}

async function fetchAs(
  host: Host,
  image: CloudImage,
  options: FetchImageOptions,
  { urls, name, digest, size, vouched, fingerprint }: Way,
): Promise<FetchedImage> {
  // A digest of the user's or the catalog's is the stronger word.
  const verify = vouched === 'signature' || vouched === 'checksum' ? await imageSignature(host, image, options) : undefined;
  const signer = { fingerprint };
  const check = verify === undefined ? undefined : async (path: string): Promise<void> => void (signer.fingerprint = await verify(path));
  const file = await fetchLargeFile(host, options.home, { urls, digest, size, limit: MOST_IMAGE, check }, options);
  const by = signer.fingerprint === undefined ? { vouched } : { vouched: 'signature' as const, fingerprint: signer.fingerprint };
  return { ...file, format: image.format, compression: image.compression, name, ...by };
}

/** Where the file is, best first; with a pattern, `name` is what the checksum file says. */
function addresses(image: CloudImage, options: FetchImageOptions, name: string | undefined): readonly string[] {
  const all = [...(options.mirrors ?? []), image.url, ...image.mirrors];
  if (image.entry === undefined) return [...new Set(all)];
  if (name === undefined) {
    throw new IngotError('usage', 'image-name-unknown', `Only the checksum file says which file of ${shownValue(image.url)} is the image`, {
      hint: 'Give the whole address of the image instead.',
    });
  }
  return [...new Set(all.map((folder) => `${folder.replace(/\/*$/, '/')}${encodeURIComponent(name)}`))];
}

function parseExpected(text: string): ExpectedDigest {
  const match = /^(sha256|sha512):([0-9a-f]+)$/i.exec(text);
  const [algorithm, hex] = [match?.[1]?.toLowerCase(), match?.[2]?.toLowerCase() ?? ''];
  if (algorithm === 'sha256' && hex.length === 64) return { algorithm, hex };
  if (algorithm === 'sha512' && hex.length === 128) return { algorithm, hex };
  throw new IngotError('usage', 'digest-invalid', `"${text}" is not a digest`, { hint: 'A digest is sha256: and 64, or sha512: and 128 hexadecimal digits.' });
}

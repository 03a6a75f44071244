import { IngotError } from '../../base/errors.ts';
import type { Home } from '../../base/home.ts';
import type { Host } from '../../base/host.ts';
import { makeScratch } from '../../base/scratch.ts';
import { shownValue } from '../../base/settings.ts';
import type { ExpectedDigest } from '../../base/transfer/large-file.ts';
import { fetchSmallFile } from '../../base/transfer/small-file.ts';
import type { CloudImage } from '../../catalog/cloud-image-schema.ts';
import { findChecksum } from './checksum-file.ts';
import { verifyDetached, verifyInline } from './signature.ts';

/** Bytes that a checksum file may have, and a signature. */
const MOST_CHECKSUMS = 4 * 2 ** 20;
const MOST_SIGNATURE = 2 ** 18;

export interface TrustOptions {
  readonly home: Home;
  /** Files of public keys that the catalog ships: those of the image's signature are among them. */
  readonly keys: readonly Uint8Array[];
  readonly offline: boolean;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What the publisher says that the image is. */
export interface Promised {
  readonly digest: ExpectedDigest;
  /** The file's name; it says which one, where the catalog only knows a pattern. */
  readonly name: string;
  /** The primary key that has signed the checksum file; undefined where none has. */
  readonly fingerprint?: string;
  /** Whether the checksum file is another one than last time. */
  readonly changed: boolean;
}

/**
 * What the checksum file says of an image, after its signature was verified; undefined where there is no checksum file. An unchanged one takes one round trip,
 * and is verified again all the same. Throws `download-failed`, `offline-missing`, `checksum-…`, `signature-…`.
 */
export async function readPromise(host: Host, image: CloudImage, options: TrustOptions): Promise<Promised | undefined> {
  const { checksum, signature } = image;
  if (checksum === undefined) return undefined;
  const file = await small(host, checksum.url, MOST_CHECKSUMS, options);
  const signed = signature === undefined || (signature.kind === 'detached' && signature.of === 'image') ? undefined : signature;
  const { text, fingerprint } =
    signed === undefined ? { text: file.bytes, fingerprint: undefined } : await verifyChecksums(host, { ...file, url: checksum.url }, signed, options);
  const { hex, name } = findChecksum(Buffer.from(text).toString('utf8'), {
    algorithm: checksum.algorithm,
    style: checksum.style,
    name: image.entry ?? nameOf(image.url),
    pattern: image.entry !== undefined,
    pointer: checksum.pointer,
    file: shownValue(checksum.url),
  });
  return { digest: { algorithm: checksum.algorithm, hex }, name, changed: file.changed, ...(fingerprint === undefined ? {} : { fingerprint }) };
}

/** The signature of the image itself, where it has one, as the check of a download. It leaves the fingerprint of its key in `signer`. */
export async function imageSignature(
  host: Host,
  { signature, url }: CloudImage,
  options: TrustOptions,
): Promise<((path: string) => Promise<string>) | undefined> {
  if (signature?.kind !== 'detached' || signature.of !== 'image') return undefined;
  const { bytes } = await small(host, signature.url, MOST_SIGNATURE, options);
  return async (path) => {
    await using scratch = await makeScratch(host, options.home, 'verifying a signature');
    const { keys, signal } = options;
    return await verifyDetached(host, bytes, path, { keys, fingerprints: signature.fingerprints, what: shownValue(url), scratch: scratch.path, signal });
  };
}

/** The last part of an address's path. */
export function nameOf(url: string): string {
  const { pathname } = new URL(url);
  return decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1));
}

type SignatureOfChecksums = Extract<NonNullable<CloudImage['signature']>, { kind: 'inline' } | { kind: 'detached' }>;

async function verifyChecksums(
  host: Host,
  file: { readonly url: string; readonly bytes: Uint8Array; readonly changed: boolean },
  signature: SignatureOfChecksums,
  options: TrustOptions,
): Promise<{ readonly text: Uint8Array; readonly fingerprint: string }> {
  await using scratch = await makeScratch(host, options.home, 'verifying a signature');
  const { keys, signal } = options;
  const by = { keys, fingerprints: signature.fingerprints, what: shownValue(file.url), scratch: scratch.path, signal };
  if (signature.kind === 'inline') return await verifyInline(host, file.bytes, by);
  const check = async (remembered: boolean): Promise<string> => {
    const { bytes } = await small(host, signature.url, MOST_SIGNATURE, options, remembered);
    const path = `${scratch.path}/checksums`;
    await host.files.write(path, file.bytes);
    return await verifyDetached(host, bytes, path, by);
  };
  if (!file.changed && !options.offline) {
    // An unchanged file has an unchanged signature, which was seen with it: one round trip is enough. Where that was cut off by a kill, it is asked for.
    try {
      return { text: file.bytes, fingerprint: await check(true) };
    } catch (error) {
      if (!(error instanceof IngotError)) throw error;
    }
  }
  return { text: file.bytes, fingerprint: await check(options.offline) };
}

async function small(
  host: Host,
  url: string,
  limit: number,
  { home, offline, signal, headers }: TrustOptions,
  remembered = offline,
): Promise<{ readonly bytes: Uint8Array; readonly changed: boolean }> {
  const hint = 'With --offline, what was last seen is used.';
  return await fetchSmallFile(host, url, { folder: home.checksums, offline: remembered, limit, signal, headers, hint });
}

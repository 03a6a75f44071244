import { IngotError } from './errors.ts';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** `sha256:` and 64 hexadecimal digits: the hash of bytes. */
export type Digest = Branded<string, 'Digest'>;
/** `sha256:` and 64 hexadecimal digits: the hash of all that a layer depends on. */
export type Key = Branded<string, 'Key'>;
/** A name that is safe as a file name, a hostname label and an argument: see {@link parseName}. */
export type Name = Branded<string, 'Name'>;
/** An absolute path on the machine that runs ingot. */
export type HostPath = Branded<string, 'HostPath'>;
/** An absolute path inside an image. Node never opens one; it only travels to commands inside the workspace. */
export type GuestPath = Branded<string, 'GuestPath'>;

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;

/** Checks the form `sha256:<64 hex>`; throws `digest-invalid`. */
export function parseDigest(text: string): Digest {
  if (!DIGEST.test(text)) {
    throw new IngotError('usage', 'digest-invalid', `"${text}" is not a digest`, { hint: 'A digest is sha256: and 64 hexadecimal digits.' });
  }
  return text as Digest;
}

/** Whether the text is a well-formed digest. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** The hexadecimal part of a digest or key: what blobs and records are called on disk. */
export function hexOf(value: Digest | Key): string {
  return value.slice('sha256:'.length);
}

/** A key from the hex or bytes of a hash that was made for it. */
export function keyFromHex(hex: string): Key {
  return parseDigest(`sha256:${hex}`) as string as Key;
}

/**
 * Checks a name of an image or VM: lower-case letters, digits, dots and dashes, starting and ending with a
 * letter or digit, 63 characters at most (RFC 1123 labels, since a VM's name is its hostname).
 * Throws `name-invalid`; `what` says in the message what was being named.
 */
export function parseName(text: string, what: string): Name {
  if (!NAME.test(text) || text.includes('..')) {
    throw new IngotError('usage', 'name-invalid', `"${text}" cannot be the name of ${what}`, {
      hint: 'Names have lower-case letters, digits, dots and dashes, start and end with a letter or digit, and are at most 63 characters long.',
    });
  }
  return text as Name;
}

/** Brands an absolute host path; throws on a relative one, which is always a defect of the caller. */
export function hostPath(path: string): HostPath {
  if (!path.startsWith('/')) throw new IngotError('internal', 'path-not-absolute', `"${path}" is not an absolute path`);
  return path as HostPath;
}

/** Brands an absolute path inside an image; refuses relative ones and `..`. */
export function guestPath(path: string): GuestPath {
  if (!path.startsWith('/') || path.split('/').includes('..')) {
    throw new IngotError('usage', 'guest-path-invalid', `"${path}" is not an absolute path inside the image`);
  }
  return path as GuestPath;
}

const SIZE = /^(\d+(?:\.\d+)?)\s*(B|K|KB|KiB|M|MB|MiB|G|GB|GiB|T|TB|TiB)?$/i;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kib: 2 ** 10,
  kb: 1e3,
  m: 2 ** 20,
  mib: 2 ** 20,
  mb: 1e6,
  g: 2 ** 30,
  gib: 2 ** 30,
  gb: 1e9,
  t: 2 ** 40,
  tib: 2 ** 40,
  tb: 1e12,
};

/** Bytes of a size such as `10GiB`, `512M` (binary), `4GB` (decimal) or `1048576`; throws `size-invalid`. */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const unit = match === null ? undefined : UNITS[(match[2] ?? '').toLowerCase()];
  if (match === null || unit === undefined) {
    throw new IngotError('usage', 'size-invalid', `"${text}" is not a size`, { hint: 'Write a number and a unit: 10GiB, 512MiB.' });
  }
  return Math.round(Number(match[1]) * unit);
}

const AGE = /^(\d+)\s*(h|d|w)$/i;
const AGE_UNITS: Readonly<Record<string, number>> = { h: 3600, d: 86_400, w: 7 * 86_400 };

/** Seconds of an age such as `12h`, `30d` or `8w`; throws `age-invalid`. */
export function parseAge(text: string): number {
  const match = AGE.exec(text.trim());
  const unit = AGE_UNITS[(match?.[2] ?? '').toLowerCase()];
  if (match === null || unit === undefined) {
    throw new IngotError('usage', 'age-invalid', `"${text}" is not an age`, { hint: 'Write a number and a unit, h, d or w: 12h, 30d, 8w.' });
  }
  return Number(match[1]) * unit;
}

/** A size for people, in binary units: `4.0 GiB`, `187 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${value < 10 && unit !== 'B' ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

/** A duration for people: `0.4 s`, `12 s`, `3 min 05 s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${String(rounded % 60).padStart(2, '0')} s`;
}

/** What is left of a time, for people: `about 40 s left`, `about 2 min left`. Rough on purpose: it is an estimate. */
export function formatLeft(seconds: number): string {
  if (seconds < 10) return 'a few seconds left';
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} s left`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 90 ? `about ${minutes} min left` : `about ${Math.round(minutes / 60)} h left`;
}

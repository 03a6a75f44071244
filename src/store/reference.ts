import { IngotError } from '../base/errors.ts';
import { hexOf, parseName, type Digest, type Name } from '../base/types.ts';

/** A reference that a user wrote, taken apart. */
export interface Reference {
  /** Absent where only a digest was given. */
  readonly name?: Name;
  readonly tag?: string;
  /** The first 12 to 64 hexadecimal digits of the manifest's digest. */
  readonly hex?: string;
}

/** A tag as the OCI distribution specification has it. */
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const PIN = /^sha256:([0-9a-f]{12,64})$/;

/**
 * Takes `name`, `name:tag`, `name@sha256:<12 to 64 digits>` or `sha256:<12 to 64 digits>` apart; a name alone means its tag `latest`.
 * Throws `reference-invalid` and `name-invalid`.
 */
export function parseReference(text: string): Reference {
  const alone = PIN.exec(text)?.[1];
  if (alone !== undefined) return { hex: alone };
  const at = text.indexOf('@');
  if (at !== -1) {
    const hex = PIN.exec(text.slice(at + 1))?.[1];
    if (hex === undefined) throw invalid(text, 'After @ stands sha256: and at least 12 hexadecimal digits.');
    return { name: parseName(text.slice(0, at), 'an image'), hex };
  }
  const colon = text.indexOf(':');
  if (colon === -1) return { name: parseName(text, 'an image'), tag: 'latest' };
  return { name: parseName(text.slice(0, colon), 'an image'), tag: parseTag(text.slice(colon + 1)) };
}

/** A reference that can be given to an image: a name and a tag. Throws `reference-invalid` where it pins a digest. */
export function parseNameTag(text: string): { readonly name: Name; readonly tag: string } {
  const { name, tag } = parseReference(text);
  if (name === undefined || tag === undefined) throw invalid(text, 'A new reference is a name and a tag: debian-12:stable.');
  return { name, tag };
}

/** The tag that a build gives where the user names none: the day, and the first digits of the image's digest. */
export function automaticTag(day: Date, digest: Digest): string {
  return `${day.toISOString().slice(0, 10).replaceAll('-', '')}-${hexOf(digest).slice(0, 8)}`;
}

/**
 * Whether a build gave the tag, and no user: date and the first digits of the image's own digest (`20260131-1a2b3c4d`). Such tags never move,
 * and `image prune` may take them with their image.
 */
export function isAutomaticTag(tag: string, digest: Digest): boolean {
  return /^\d{8}-[0-9a-f]{8}$/.test(tag) && hexOf(digest).startsWith(tag.slice(9));
}

/** Checks a tag; throws `reference-invalid`. */
export function parseTag(text: string): string {
  if (!TAG.test(text))
    throw invalid(text, 'Tags have letters, digits, dots, dashes and underscores, start with none of . and -, and are at most 128 characters long.');
  return text;
}

function invalid(text: string, hint: string): IngotError {
  return new IngotError('usage', 'reference-invalid', `"${text}" is not a reference to an image`, { hint });
}

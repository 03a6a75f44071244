import { createHash } from 'node:crypto';
import { keyFromHex, type Key } from './types.ts';

/** JSON with sorted keys and without undefined: the same value always gives the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** SHA-256 of a plain value, in hexadecimal. */
export function hashValue(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** SHA-256 of a plain value, as a key. */
export function keyOf(value: unknown): Key {
  return keyFromHex(hashValue(value));
}

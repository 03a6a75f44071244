import { createHash } from 'node:crypto';
import { keyFromHex, type Key } from './types.ts';

/**
 * JSON with sorted keys and without undefined: the same value always gives the same text. Keys that are whole numbers come first, in their
 * order, as in any object. Written out here, since `JSON.stringify` with a function that sorts takes three times as long, and a plan of many
 * images is mostly this.
 */
export function canonicalJson(value: unknown): string {
  return write(value) ?? 'null';
}

function write(value: unknown): string | undefined {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => write(item) ?? 'null').join(',')}]`;
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(JSON.parse(JSON.stringify(value)));
  let text = '';
  for (const [key, inner] of sortedEntries(value)) {
    const written = write(inner);
    if (written !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${written}`;
  }
  return `{${text}}`;
}

function sortedEntries(value: object): [string, unknown][] {
  const entries = Object.entries(value);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.some(([key]) => /^\d/.test(key)) ? Object.entries(Object.fromEntries(entries)) : entries;
}

/** SHA-256 of a plain value, in hexadecimal. */
export function hashValue(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** SHA-256 of a plain value, as a key. */
export function keyOf(value: unknown): Key {
  return keyFromHex(hashValue(value));
}

import { createHmac, timingSafeEqual } from 'node:crypto';

/*
 * How the server checks a signature, written from what is known of it, byte by byte, and sharing nothing with ingot's client: what both agree on was understood
 * the same way twice.
 */

const ASCII = (text: string): Set<number> => new Set([...text].map((character) => character.charCodeAt(0)));
/** What Java's URLEncoder leaves alone. */
const PLAIN = ASCII('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-*_');

/** Java: URLEncoder.encode(value, "UTF-8").replaceAll("\\+", "%20") */
export function javaEncode(value: string): string {
  let encoded = '';
  for (const byte of Buffer.from(value.replaceAll(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '?'), 'utf8')) {
    encoded += PLAIN.has(byte) ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

/** Compares as Java's String does: by code units. */
function byCodeUnits(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The signature that a request should have. */
export function expectedSignature(parameters: ReadonlyMap<string, string>, secretKey: string): string {
  const names = [...parameters.keys()].filter((name) => name.toLowerCase() !== 'signature').sort(byCodeUnits);
  let unsigned = '';
  for (const name of names) {
    if (unsigned !== '') unsigned += '&';
    unsigned += name;
    unsigned += '=';
    unsigned += javaEncode(parameters.get(name) ?? '');
  }
  const mac = createHmac('sha1', Buffer.from(secretKey, 'utf8'));
  mac.update(Buffer.from(unsigned.toLowerCase(), 'utf8'));
  return mac.digest().toString('base64');
}

/** What is wrong with the signature of a request; nothing where it is good. `now` is the server's clock. */
export function signatureFault(parameters: ReadonlyMap<string, string>, secretKey: string, now: Date): string | undefined {
  const version = parameters.get('signatureversion');
  if (version === '3') {
    const expires = parameters.get('expires') ?? '';
    const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-]\d{4})$/.exec(expires);
    if (match === null) return 'expires is missing or not a date';
    const time = Date.parse(`${match[1] ?? ''}${(match[2] ?? '').slice(0, 3)}:${(match[2] ?? '').slice(3)}`);
    if (time < now.getTime()) return 'the request has expired';
    // From 4.21 on, with enforce.post.requests.and.timestamps.
    if (time > now.getTime() + 15 * 60_000) return 'expires is more than 15 minutes ahead';
  }
  const got = Buffer.from(parameters.get('signature') ?? '', 'base64');
  const wanted = Buffer.from(expectedSignature(parameters, secretKey), 'base64');
  return got.length === wanted.length && timingSafeEqual(got, wanted) ? undefined : 'the signature does not match';
}

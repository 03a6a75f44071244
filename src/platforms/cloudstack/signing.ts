import { createHmac } from 'node:crypto';

export interface Keys {
  readonly apiKey: string;
  readonly secretKey: string;
}

/** How long a signed request holds, in seconds: below the 15 minutes that servers from 4.21 on allow at most, with room for clocks that differ. */
export const SIGNATURE_LIFE = 600;

/** What needs no encoding; most values are that. */
const PLAIN = /^[A-Za-z0-9._*-]*$/;
const KEPT: Readonly<Record<string, string>> = { '!': '%21', "'": '%27', '(': '%28', ')': '%29', '~': '%7E' };

/**
 * A value as the server encodes it when it checks a signature: Java's URLEncoder, with a space as %20. It leaves `*` as it is, and encodes
 * `! ' ( ) ~`, which encodeURIComponent does not. Half of a surrogate pair becomes a question mark, as Java has it.
 */
export function encodeValue(value: string): string {
  if (PLAIN.test(value)) return value;
  const whole = value.isWellFormed() ? value : value.replaceAll(/\p{Surrogate}/gu, '?');
  return encodeURIComponent(whole).replaceAll(/[!'()~]/g, (character) => KEPT[character] ?? character);
}

interface Encoded {
  readonly name: string;
  readonly value: string;
}

/** Names in the order of their code units as they are sent, with encoded values. */
function sortedPairs(parameters: Readonly<Record<string, string>>): Encoded[] {
  return Object.keys(parameters)
    .toSorted()
    .map((name) => ({ name, value: encodeValue(parameters[name] ?? '') }));
}

/** What is signed: raw names, sorted as they are sent, values encoded, and only then all of it in lower case. */
function textOf(pairs: readonly Encoded[]): string {
  return pairs
    .map(({ name, value }) => `${name}=${value}`)
    .join('&')
    .toLowerCase();
}

function sign(text: string, secretKey: string): string {
  return createHmac('sha1', secretKey).update(text, 'utf8').digest('base64');
}

/** What the signature of a request is made of. */
export function stringToSign(parameters: Readonly<Record<string, string>>): string {
  return textOf(sortedPairs(parameters));
}

/** The signature of a request, in Base64. */
export function signatureOf(parameters: Readonly<Record<string, string>>, secretKey: string): string {
  return sign(stringToSign(parameters), secretKey);
}

/** A point in time as `expires` takes it: `2026-01-01T00:00:00+0000`. */
export function expiresAt(time: Date): string {
  return `${time.toISOString().slice(0, 19)}+0000`;
}

/**
 * A request as it is sent, in a query or as a form: encoded once, the signature last. `now` is the server's time, as far as it is known: a signature that
 * has expired there is refused.
 */
export function signedQuery(parameters: Readonly<Record<string, string>>, keys: Keys, now: Date): string {
  const pairs = sortedPairs({
    ...parameters,
    apikey: keys.apiKey,
    response: 'json',
    signatureversion: '3',
    expires: expiresAt(new Date(now.getTime() + SIGNATURE_LIFE * 1000)),
  });
  // The name is signed raw, and the server decodes what it gets: brackets arrive as they were.
  const query = pairs.map(({ name, value }) => `${PLAIN.test(name) ? name : encodeURIComponent(name)}=${value}`).join('&');
  return `${query}&signature=${encodeValue(sign(textOf(pairs), keys.secretKey))}`;
}

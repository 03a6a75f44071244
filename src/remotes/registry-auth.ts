import * as z from 'zod';
import { isLoopback } from './address.ts';
import type { Credentials } from './credentials.ts';
import { send, type HttpOptions } from './http.ts';
import { remoteFailed, remoteRefused } from './remote.ts';

/** What a server asks for (RFC 9110, WWW-Authenticate): the scheme in lower case, and its parameters. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The challenges of a header; what cannot be understood ends them. Pure. */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const TOKEN = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  for (let match = TOKEN.exec(header); match !== null; match = TOKEN.exec(header)) {
    const [, word = '', quoted, plain] = match;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) found.push({ scheme: word.toLowerCase(), parameters: {} });
    else {
      const last = found.at(-1);
      if (last === undefined) break;
      last.parameters[word.toLowerCase()] = value;
    }
  }
  return found;
}

const tokenSchema = z.looseObject({ token: z.string().optional(), access_token: z.string().optional() });

/**
 * The authorization that answers a server's challenge: basic, or a bearer token for the scopes, which the server's realm gives. Credentials go to the
 * realm over TLS alone, or to this machine. Throws `remote-refused` and `remote-failed`.
 */
export async function authorize(
  header: string,
  scopes: readonly string[],
  about: { readonly server: string; readonly credentials: Credentials | undefined; readonly http: HttpOptions },
): Promise<string> {
  const challenges = parseChallenges(header);
  const { server, credentials, http } = about;
  const basic = credentials === undefined ? undefined : `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return `Bearer ${await tokenOf(bearer, scopes, basic, server, http)}`;
  if (challenges.some(({ scheme }) => scheme === 'basic')) {
    if (basic !== undefined) return basic;
    throw remoteRefused(server, credentials, 'it asks for a user and a password');
  }
  throw remoteFailed(server, `it asks for an authentication that ingot does not know (${challenges.map(({ scheme }) => scheme).join(', ') || 'none named'})`);
}

async function tokenOf({ parameters }: Challenge, scopes: readonly string[], basic: string | undefined, server: string, http: HttpOptions): Promise<string> {
  const realm = parameters['realm'] ?? '';
  if (!URL.canParse(realm)) throw remoteFailed(server, 'it names no address that gives tokens');
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.host) && isLoopback(server)))
    throw remoteFailed(server, `the address that gives tokens, ${url.host}, is without TLS`);
  if (parameters['service'] !== undefined) url.searchParams.set('service', parameters['service']);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const response = await send({ method: 'GET', url, headers: basic === undefined ? {} : { authorization: basic } }, http);
  if (response.status === 401 || response.status === 403) throw remoteRefused(server, undefined, `${url.host} gives no token (${response.status})`);
  if (!response.ok) throw remoteFailed(server, `${url.host} gives no token (${response.status})`);
  const parsed = tokenSchema.safeParse(await response.json().catch(() => undefined));
  const token = parsed.success ? (parsed.data.token ?? parsed.data.access_token) : undefined;
  if (token === undefined) throw remoteFailed(server, `${url.host} answers without a token`);
  return token;
}

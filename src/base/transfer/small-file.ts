import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError, systemErrorCode } from '../errors.ts';
import { readTextIfThere, replaceFile } from '../files.ts';
import type { Host } from '../host.ts';
import { networkCause, retry } from '../retry.ts';
import { shownValue } from '../settings.ts';
import { formatSize, type HostPath } from '../types.ts';

const ATTEMPTS = 3;
const TIMEOUT_SECONDS = 30;
const MOST_REDIRECTS = 10;

export interface SmallFileOptions {
  /** Where it is remembered, by the hash of its address. */
  readonly folder: HostPath;
  /** Ask nobody: what was last seen has to do. */
  readonly offline: boolean;
  /** Bytes that it may have at most. */
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What a user can do where it cannot be had. */
  readonly hint: string;
}

const versionSchema = z.object({ sha256: z.string(), etag: z.string().optional(), modified: z.string().optional() });
type Version = z.output<typeof versionSchema>;

/**
 * A file of some kilobytes, remembered, and asked for only where it has changed. `changed` is false where the server, or nobody with `offline`, says that it is what
 * was seen last. Throws `download-failed`, `redirect-insecure`, `offline-missing`.
 */
export async function fetchSmallFile(host: Host, url: string, options: SmallFileOptions): Promise<{ readonly bytes: Uint8Array; readonly changed: boolean }> {
  const path = rememberedPath(options.folder, url);
  const remembered = await readRemembered(host, options.folder, url);
  if (options.offline) {
    if (remembered !== undefined) return { bytes: remembered, changed: false };
    throw offlineMissing(url);
  }
  const version = remembered === undefined ? undefined : await readVersion(host, path, remembered);
  const answer = await download(host, url, version, options);
  if (answer === undefined && remembered !== undefined) return { bytes: remembered, changed: false };
  if (answer === undefined) throw failed(url, 'the server says that it has not changed, and nobody asked', options);
  await host.files.makeDirectory(options.folder);
  await replaceFile(host.files, path, answer.bytes);
  await replaceFile(host.files, `${path}.version`, JSON.stringify({ ...answer.version, sha256: digestOf(answer.bytes) } satisfies Version));
  return { bytes: answer.bytes, changed: remembered === undefined || digestOf(remembered) !== digestOf(answer.bytes) };
}

/** What `offline` says where something is not there. */
export function offlineMissing(url: string): IngotError {
  return new IngotError('upstream', 'offline-missing', `${shownValue(url)} is not in the cache, and --offline forbids to fetch it`, {
    hint: 'Run it once without --offline.',
  });
}

/** What an address was seen to say last; undefined where it was never asked. */
export async function readRemembered(host: Host, folder: HostPath, url: string): Promise<Uint8Array | undefined> {
  try {
    return await host.files.read(rememberedPath(folder, url));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function rememberedPath(folder: HostPath, url: string): string {
  return join(folder, createHash('sha256').update(url).digest('hex'));
}

/** What to ask by whether it has changed. It names the bytes that it is about: a kill may have left another's. */
async function readVersion(host: Host, path: string, bytes: Uint8Array): Promise<Version | undefined> {
  try {
    const version = versionSchema.parse(JSON.parse((await readTextIfThere(host.files, `${path}.version`)) ?? ''));
    return version.sha256 === digestOf(bytes) ? version : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

interface Downloaded {
  readonly bytes: Uint8Array;
  readonly version: Omit<Version, 'sha256'>;
}

/** Undefined where the server says that it is still that version. */
async function download(host: Host, url: string, version: Version | undefined, options: SmallFileOptions): Promise<Downloaded | undefined> {
  const { signal } = options;
  const ask = async (): Promise<Downloaded | undefined> => {
    const response = await follow(host, url, version, options);
    if (response.status === 304) return undefined;
    if (response.ok) {
      const [etag, modified] = [response.headers.get('etag'), response.headers.get('last-modified')];
      const bytes = await limited(response, url, options);
      return { bytes, version: { ...(etag === null ? {} : { etag }), ...(modified === null ? {} : { modified }) } };
    }
    const answer = `the server answered ${response.status}`;
    throw response.status >= 500 || response.status === 429 ? new Error(answer) : failed(url, answer, options);
  };
  try {
    return await retry(ask, { clock: host.clock, signal, attempts: ATTEMPTS, transient: (error) => !(error instanceof IngotError) });
  } catch (error) {
    throw error instanceof IngotError || signal.aborted ? error : failed(url, networkCause(error), options, error);
  }
}

async function follow(host: Host, url: string, version: Version | undefined, { signal, headers }: SmallFileOptions): Promise<Response> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_SECONDS * 1000)]);
  const conditions = {
    ...(version?.etag === undefined ? {} : { 'If-None-Match': version.etag }),
    ...(version?.modified === undefined ? {} : { 'If-Modified-Since': version.modified }),
  };
  let at = withoutUser(url);
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    // Who is trusted with a password is the server that it was given for.
    const own = new URL(at.address).origin === new URL(url).origin ? { ...at.headers, ...headers } : {};
    const response = await host.fetch(at.address, { signal: limit, redirect: 'manual', headers: { ...own, ...conditions } });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    const to = new URL(location, at.address);
    if (new URL(at.address).protocol === 'https:' && to.protocol !== 'https:') {
      throw new IngotError('upstream', 'redirect-insecure', `${shownValue(url)} redirects to ${shownValue(to.href)}, from https to http`);
    }
    at = { address: to.href, headers: at.headers };
  }
  throw new Error('it leads from one address to another without end');
}

/** fetch takes no address with a name and password in it. */
function withoutUser(text: string): { readonly address: string; readonly headers: Readonly<Record<string, string>> } {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { address: text, headers: {} };
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  [url.username, url.password] = ['', ''];
  return { address: url.href, headers: { Authorization: `Basic ${Buffer.from(user).toString('base64')}` } };
}

async function limited(response: Response, url: string, options: SmallFileOptions): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > options.limit) throw failed(url, `it is larger than ${formatSize(options.limit)}`, options);
  }
  return Buffer.concat(parts);
}

function failed(url: string, why: string, { hint }: SmallFileOptions, cause?: unknown): IngotError {
  return new IngotError('upstream', 'download-failed', `${shownValue(url)} could not be downloaded: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint,
  });
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

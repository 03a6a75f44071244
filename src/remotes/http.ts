import { IngotError } from '../base/errors.ts';
import type { Clock } from '../base/host.ts';
import type { Answer, HttpConnections } from '../base/transfer/http.ts';
import { networkCause } from '../base/retry.ts';
import { isLoopback } from './address.ts';
import { remoteFailed } from './remote.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes, or what gives them piece by piece; that is asked anew where the request is sent again. */
  readonly body?: Uint8Array<ArrayBuffer> | (() => AsyncIterable<Uint8Array>);
  readonly signal?: AbortSignal;
  /** Bytes that the answer has, as far as that is known: a large one is read in a way of its own. Then a piece of it is only valid until the next one is asked for. */
  readonly expects?: number;
  /** Whether doing it twice is as good as once; then network failures and a busy server are tried again. Default true. */
  readonly again?: boolean;
}

export interface HttpOptions {
  readonly fetch: typeof globalThis.fetch;
  /** Connections of their own for large answers. */
  readonly connect: () => Promise<HttpConnections>;
  readonly clock: Pick<Clock, 'sleep' | 'now'>;
  readonly signal: AbortSignal;
  /** Called before it waits, with why and for how many seconds. */
  readonly onWait?: (why: string, seconds: number) => void;
}

const ATTEMPTS = 5;
/** Longest pause where a server does not say how long; seconds. */
const LONGEST_PAUSE = 10;
/** Longest that is waited for a server that says how long; seconds. */
const LONGEST_WAIT = 120;
const REDIRECTS = 5;
/** Bytes from which on an answer is read without fetch, which takes several times the processor time. */
const LARGE = 2 ** 20;
/** Seconds without a byte after which a large answer counts as cut. */
const STALL = 60;

/** A network that failed, or a server that says it is busy: trying again can help. */
export class Transient extends Error {
  override readonly name = 'Transient';
}

/**
 * Sends one request and follows redirects, by itself, so that an authorization goes to no other server and none leads to plain HTTP elsewhere. Answers
 * 429 and 5xx, and failures of the network, are tried again after as long as the server says, else after growing pauses. Throws `remote-failed`; where
 * it may not be done twice, {@link Transient}.
 */
export async function send(request: HttpRequest, options: HttpOptions): Promise<Response> {
  const signal = request.signal ?? options.signal;
  for (let attempt = 1; ; attempt += 1) {
    let why: string;
    let wait = Math.min(0.5 * 3 ** (attempt - 1), LONGEST_PAUSE);
    try {
      const response = await follow(request, options, signal);
      if (response.status !== 429 && response.status < 500) return response;
      why = response.status === 429 ? 'the server is busy (429)' : `the server answered ${response.status}`;
      wait = retryAfter(response, options.clock.now()) ?? wait;
      await response.body?.cancel().catch(() => undefined);
    } catch (error) {
      if (error instanceof IngotError) throw error;
      signal.throwIfAborted();
      const hopeless = hopelessCause(error);
      if (hopeless !== undefined) throw remoteUnreachable(request.url, hopeless, error);
      if (request.again === false) throw new Transient(networkCause(error), { cause: error });
      if (attempt >= ATTEMPTS) throw remoteFailed(request.url.host, networkCause(error), error);
      why = networkCause(error);
    }
    if (request.again === false) throw new Transient(why);
    if (attempt >= ATTEMPTS) throw remoteFailed(request.url.host, why);
    options.onWait?.(why, wait);
    await options.clock.sleep(wait, signal);
  }
}

/** Why no other try can help: a certificate that is not trusted, a server that speaks no TLS, an address that is none; undefined where one can. */
function hopelessCause(error: unknown): string | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    if (/WRONG_VERSION_NUMBER/.test(code)) return 'it speaks no TLS';
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|INGOT_FINGERPRINT|^ERR_SSL/.test(code) || cause.message === 'bad port') return cause.message.split('\n')[0];
  }
  return undefined;
}

function remoteUnreachable({ host }: URL, why: string, cause: unknown): IngotError {
  return new IngotError('upstream', 'remote-failed', `${host}: ${why}`, {
    cause,
    hint: isLoopback(host)
      ? 'A registry on this machine without TLS is reached with --plain-http; the setting remote-ca says whose certificates to trust besides.'
      : 'The settings remote-ca and remote-fingerprints say which certificates to trust besides the usual ones.',
  });
}

async function follow(request: HttpRequest, { fetch, connect }: HttpOptions, signal: AbortSignal): Promise<Response> {
  let { url } = request;
  let headers: Record<string, string> = { 'user-agent': 'ingot', ...request.headers };
  for (let hops = 0; ; hops += 1) {
    const response =
      (request.expects ?? 0) < LARGE
        ? await fetch(url, { method: request.method, headers, redirect: 'manual', signal, ...bodyInit(request.body) })
        : await getLarge(url, headers, connect, signal);
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel().catch(() => undefined);
    const next = new URL(location, url);
    if (hops >= REDIRECTS || (request.method !== 'GET' && request.method !== 'HEAD')) throw remoteFailed(url.host, 'it leads from one address to the next');
    if (next.protocol !== 'https:' && !(next.protocol === 'http:' && url.protocol === 'http:' && isLoopback(next.host)))
      throw remoteFailed(url.host, 'it leads to an address without TLS');
    if (next.origin !== url.origin) {
      const { authorization: _, ...rest } = headers;
      headers = rest;
    }
    url = next;
  }
}

/** A GET over a connection of its own, which is closed when its body has been read or is cancelled. */
async function getLarge(url: URL, headers: Readonly<Record<string, string>>, connect: HttpOptions['connect'], signal: AbortSignal): Promise<Response> {
  const { 'user-agent': _, ...own } = headers;
  const http = await connect();
  try {
    const answer = await http.get(url.href, { headers: own, signal, stallSeconds: STALL, handsRedirectsOn: true });
    const has = answer.status === 200 || answer.status === 206;
    if (!has) http[Symbol.dispose]();
    return new Response(has ? ReadableStream.from(piecesOf(answer, http)) : null, { status: answer.status, headers: [...answer.headers] });
  } catch (error) {
    http[Symbol.dispose]();
    // Here it is a failure like one of fetch, and is told and tried again as those are.
    throw error instanceof IngotError ? new Error(error.message, { cause: error.cause }) : error;
  }
}

async function* piecesOf(answer: Answer, http: HttpConnections): AsyncGenerator<Uint8Array> {
  try {
    yield* answer.pieces();
  } finally {
    http[Symbol.dispose]();
  }
}

function bodyInit(body: HttpRequest['body']): Pick<RequestInit, 'body' | 'duplex'> {
  if (body === undefined) return {};
  return typeof body === 'function' ? { body: ReadableStream.from(body()), duplex: 'half' } : { body };
}

/** Seconds that the server asks to wait (RFC 9110); undefined where it does not say. Nobody is made to wait longer than {@link LONGEST_WAIT}. */
export function retryAfter(response: Pick<Response, 'headers'>, now: Date): number | undefined {
  const text = response.headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - now.getTime()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, seconds), LONGEST_WAIT);
}

/** The body of an answer, piece by piece; a connection that is cut throws {@link Transient}. */
export async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  try {
    for await (const piece of response.body) yield piece;
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') throw error;
    throw new Transient(networkCause(error), { cause: error });
  }
}

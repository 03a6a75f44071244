import type { Socket } from 'node:net';
import { IngotError, systemErrorCode } from '../errors.ts';
import { shownValue } from '../settings.ts';
import { ByteQueue } from './byte-queue.ts';
import { bodyOf, parseHead, type Body, type Head } from './http-head.ts';
import { proxyAuthorization, proxyFor } from './proxy.ts';
import { checkFingerprint, interrupted, openSocket, type TlsTrust } from './socket.ts';

/*
 * Plain HTTP/1.1 GET for large bodies. fetch makes an object of every 64 KiB and takes five times the processor time of this for a file of gigabytes
 * (decision 20); it also unpacks what a server calls gzip, and then neither length nor checksum of an image fit.
 */

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];

export interface GetOptions {
  /** An `Authorization` among them goes to no other server that an answer leads to. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Seconds without a byte after which the connection counts as dead. */
  readonly stallSeconds: number;
  /** Whether an answer that leads elsewhere is handed on instead of followed. */
  readonly handsRedirectsOn?: boolean;
}

export interface Answer {
  readonly status: number;
  /** Where the answer came from, after all redirects. */
  readonly url: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Bytes of the body, where the server says so beforehand. */
  readonly length: number | undefined;
  /** The body; a piece is only valid until the next one is asked for. Throws `download-interrupted` where it ends early. */
  pieces(): AsyncGenerator<Uint8Array>;
  /** Gives up the rest of the body. */
  close(): void;
}

/** Connections of one transfer, kept for the next request; closed when disposed. */
export interface HttpConnections extends Disposable {
  /** Throws `download-interrupted` where the network fails, `redirect-insecure`, `download-failed` where the answer is no HTTP. */
  get(url: string, options: GetOptions): Promise<Answer>;
}

/** Makes an empty set of connections, by the proxies that the environment names, to servers that are trusted as usual or as `trust` says. */
export function openConnections(env: Readonly<Record<string, string | undefined>>, trust: TlsTrust = {}): HttpConnections {
  const idle = new Map<string, Connection[]>();
  const all = new Set<Connection>();

  const once = async (url: URL, options: GetOptions): Promise<Answer> => {
    const kept = idle.get(url.origin)?.pop();
    if (kept !== undefined) {
      try {
        return await ask(kept, url, options);
      } catch (error) {
        all.delete(kept);
        if (options.signal.aborted || kept.answered) throw error;
        // The server had closed it meanwhile, which is its right: a new one is asked.
      }
    }
    const connection = await Connection.open(url, proxyFor(env, url), { ...options, trust });
    all.add(connection);
    return await ask(connection, url, options);
  };

  const ask = async (connection: Connection, url: URL, options: GetOptions): Promise<Answer> => {
    const head = await connection.ask(url, options);
    return connection.answer(url, head, options, () => idle.set(url.origin, [...(idle.get(url.origin) ?? []), connection]));
  };

  return {
    async get(text, options) {
      let url = httpUrl(text);
      let { headers = {} } = options;
      for (let redirects = 0; ; redirects++) {
        const answer = await once(url, { ...options, headers });
        const location = answer.headers.get('location');
        if (options.handsRedirectsOn === true || !REDIRECTS.includes(answer.status) || location === undefined) return answer;
        answer.close();
        if (redirects === MOST_REDIRECTS)
          throw new IngotError('upstream', 'download-failed', `${shownValue(text)} leads from one address to another without end`);
        const next = redirected(url, location);
        if (next.origin !== url.origin) headers = withoutAuthorization(headers);
        url = next;
      }
    },
    [Symbol.dispose]() {
      for (const connection of all) connection.close();
    },
  };
}

/** Headers that another server may see. */
export function withoutAuthorization(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

function httpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new IngotError('usage', 'url-invalid', `${shownValue(text)} is no address of http or https`);
  }
  return url;
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (to === undefined || !['http:', 'https:'].includes(to.protocol)) {
    throw new IngotError('upstream', 'download-failed', `${shownValue(from.href)} redirects to ${shownValue(location)}, which is no address of http or https`);
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new IngotError('upstream', 'redirect-insecure', `${shownValue(from.href)} redirects to ${shownValue(to.href)}, from https to http`, {
      hint: 'Name another mirror.',
    });
  }
  // Who is trusted with the name and password is the server that they were given for.
  if (from.origin === to.origin && to.username === '') [to.username, to.password] = [from.username, from.password];
  return to;
}

class Connection {
  readonly #socket: Socket;
  readonly #bytes: ByteQueue;
  /** The proxy that is asked, where it passes requests on and makes no tunnel. */
  readonly #proxy: URL | undefined;
  /** Whether a byte of the last answer has come. */
  answered = false;

  private constructor(socket: Socket, bytes: ByteQueue, proxy: URL | undefined) {
    this.#socket = socket;
    this.#bytes = bytes;
    this.#proxy = proxy;
  }

  static async open(url: URL, proxy: URL | undefined, { signal, stallSeconds, trust }: GetOptions & { readonly trust: TlsTrust }): Promise<Connection> {
    const bytes = new ByteQueue();
    const socket = await openSocket(url, proxy, bytes, { signal, stallSeconds, trust });
    bytes.attach(socket);
    const connection = new Connection(socket, bytes, url.protocol === 'http:' ? proxy : undefined);
    socket.setNoDelay(true);
    socket.setTimeout(stallSeconds * 1000);
    const fail = (error: Error): void => {
      bytes.fail(isDistrusted(error) ? distrusted(url, error) : interrupted(error.message, error));
      socket.destroy();
    };
    // What waits for the disk here is no fault of the server.
    socket.on('timeout', () => bytes.isPaused || fail(new Error(`no byte came for ${stallSeconds} s`)));
    socket.on('error', fail);
    socket.on('end', () => bytes.end());
    socket.on('close', () => bytes.end());
    const ready = Promise.withResolvers<void>();
    if (socket.readyState === 'open' && url.protocol !== 'https:') ready.resolve();
    else socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => ready.resolve());
    bytes.onFailure((error) => ready.reject(error));
    using _abort = onAbort(signal, () => connection.#abort(signal));
    await ready.promise;
    checkFingerprint(socket, trust);
    return connection;
  }

  async ask(url: URL, { headers = {}, signal }: GetOptions): Promise<Head> {
    this.answered = false;
    const path = `${this.#proxy === undefined ? '' : url.origin}${url.pathname}${url.search}`;
    const lines = [`GET ${path} HTTP/1.1`, `Host: ${url.host}`, 'User-Agent: ingot', 'Accept: */*', 'Accept-Encoding: identity'];
    if (url.username !== '' && headers['Authorization'] === undefined) {
      const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      lines.push(`Authorization: Basic ${Buffer.from(user).toString('base64')}`);
    }
    const authorization = this.#proxy === undefined ? undefined : proxyAuthorization(this.#proxy);
    if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    using _abort = onAbort(signal, () => this.#abort(signal));
    this.#socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    for (;;) {
      const head = parseHead(await this.#bytes.until('\r\n\r\n', () => (this.answered = true)), shownValue(url.href));
      if (head.status >= 200) return head; // What comes before (100, 103) is no answer.
    }
  }

  answer(url: URL, head: Head, { signal }: GetOptions, keep: () => void): Answer {
    const body = bodyOf(head);
    return {
      status: head.status,
      url: url.href,
      headers: head.headers,
      length: body.length,
      pieces: () => this.#pieces(body, signal, keep),
      close: () => this.close(),
    };
  }

  async *#pieces(body: Body, signal: AbortSignal, keep: () => void): AsyncGenerator<Uint8Array> {
    using _abort = onAbort(signal, () => this.#abort(signal));
    let isWhole = false;
    try {
      yield* body.pieces(this.#bytes);
      isWhole = true;
    } finally {
      if (isWhole && body.keepsConnection) keep();
      else this.close();
    }
  }

  #abort(signal: AbortSignal): void {
    this.#bytes.fail(signal.reason);
    this.close();
  }

  close(): void {
    this.#socket.destroy();
  }
}

function onAbort(signal: AbortSignal, act: () => void): Disposable {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', act) };
}

/** Whether TLS refused the server's certificate: another try gets the same. */
function isDistrusted(error: Error): boolean {
  return /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(systemErrorCode(error) ?? '');
}

function distrusted(url: URL, cause: Error): IngotError {
  return new IngotError('upstream', 'download-failed', `The certificate of ${url.host} is not trusted: ${cause.message}`, {
    cause,
    hint: 'Check the address and the clock; a certificate authority of your own goes into NODE_EXTRA_CA_CERTS.',
  });
}

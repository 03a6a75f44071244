import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Agent, buildConnector, request, errors } from 'undici';
import { IngotError } from '../base/errors.ts';
import type { Trust } from './trust.ts';

/** A body that is longer than one wants in memory; `length` is exact. */
export interface StreamBody {
  readonly length: number;
  readonly type: string;
  pieces(): AsyncIterable<Uint8Array>;
}

export interface Message {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | StreamBody;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** The reason phrase, in which Proxmox VE says what is wrong; others say it in the body. */
  readonly reason: string;
  /** The server's clock. */
  readonly date: string | undefined;
  readonly text: string;
}

/** What carries messages to one server. */
export interface Transport {
  /** Throws `server-unreachable` where nothing was sent, `connection-lost` where nobody knows what the server did, `certificate-changed`, `certificate-untrusted`. */
  send(message: Message): Promise<Answer>;
  close(): Promise<void>;
}

/** What helps with this kind of server, for errors. */
export interface TransportHints {
  readonly unreachable: string;
  readonly untrusted: string;
  readonly changed: string;
}

const HINTS: TransportHints = {
  unreachable: 'Check the address and port, a firewall between, and whether the server is up.',
  untrusted: 'Nothing was sent. `ingot target add` pins its fingerprint, or takes the CA that signed it with --ca.',
  changed: 'Nothing was sent. If the certificate was renewed, compare the fingerprint on the server, then run `ingot target add` again with --replace.',
};

/** Seconds for the connection, and for an answer to a request that is not an upload. */
const [CONNECT_LIMIT, ANSWER_LIMIT] = [15, 120];
/** Seconds without a byte taken after which an upload counts as lost. */
const STALL_LIMIT = 120;
/** More of an answer is no answer of the API. */
const LARGEST_ANSWER = 64 * 2 ** 20;

/**
 * HTTPS to one server. The certificate is looked at on every connection, before a byte of a request, and with it the token, is handed to the
 * connection; nothing is set for the process as a whole. Plain HTTP is spoken where the address says so: whether it may is decided before.
 */
export function httpsTransport(url: string, trust: Trust, hints: TransportHints = HINTS): Transport {
  const connector = buildConnector({
    // The one certificate that is pinned is checked below: it is signed by nobody that one knows.
    rejectUnauthorized: trust.kind !== 'fingerprint',
    ...(trust.kind === 'ca' ? { ca: trust.pem } : {}),
    // Of a resumed session the certificate would not be sent again.
    maxCachedSessions: 0,
    // The server speaks HTTP/1.1, and its reason phrases hold the errors.
    allowH2: false,
    timeout: CONNECT_LIMIT * 1000,
  });
  const agent = new Agent({
    connect: (options, callback) =>
      connector(options, (...[error, socket]) => {
        const refused = error ?? refusal(socket, trust, hints);
        if (refused === undefined && socket !== null) return callback(null, socket);
        socket?.destroy();
        return callback(refused ?? new Error('no connection'), null);
      }),
    headersTimeout: ANSWER_LIMIT * 1000,
    bodyTimeout: ANSWER_LIMIT * 1000,
    // An answer is waited for before the next request is sent.
    pipelining: 1,
  });
  return { send: (message) => send(agent, url, hints, message), close: () => agent.destroy() };
}

function refusal(socket: Socket | TLSSocket | null, trust: Trust, hints: TransportHints): Error | undefined {
  if (trust.kind !== 'fingerprint') return undefined;
  const seen = socket instanceof TLSSocket ? socket.getPeerCertificate().fingerprint256 : undefined;
  if (seen === trust.sha256) return undefined;
  return new IngotError('verification', 'certificate-changed', 'The server shows another certificate than the one that was agreed to', {
    detail: `agreed to  ${trust.sha256}\nshown      ${seen ?? '(none)'}`,
    hint: hints.changed,
  });
}

async function send(agent: Agent, url: string, hints: TransportHints, message: Message): Promise<Answer> {
  const { method, path, body } = message;
  const stalled = new AbortController();
  let sent = false;
  let timer: NodeJS.Timeout | undefined;
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(), STALL_LIMIT * 1000);
  };
  async function* watched(stream: StreamBody): AsyncGenerator<Uint8Array> {
    for await (const piece of stream.pieces()) {
      sent = true;
      alive();
      yield piece;
    }
    // From here on the server may take its time: it copies what it got.
    clearTimeout(timer);
  }
  const stream = typeof body === 'object' ? body : undefined;
  const headers = { ...message.headers, ...(stream === undefined ? {} : { 'content-type': stream.type, 'content-length': String(stream.length) }) };
  try {
    const answer = await request(`${url}${path}`, {
      dispatcher: agent,
      method,
      headers,
      signal: AbortSignal.any([message.signal, stalled.signal]),
      ...(stream === undefined
        ? typeof body === 'string'
          ? { body }
          : {}
        : { body: Readable.from(watched(stream), { objectMode: false }), headersTimeout: 0 }),
    });
    sent = true;
    const date = answer.headers['date'];
    return { status: answer.statusCode, reason: answer.statusText, date: typeof date === 'string' ? date : undefined, text: await textOf(answer.body) };
  } catch (error) {
    if (message.signal.aborted) throw new IngotError('interrupted', 'interrupted', 'Stopped before the server had answered', { cause: error });
    throw failure(error, url, hints, { sent, stalled: stalled.signal.aborted });
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > LARGEST_ANSWER) throw new IngotError('upstream', 'answer-too-large', `The server answers with more than ${LARGEST_ANSWER / 2 ** 20} MiB`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Codes of failures before anything was sent. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const UNTRUSTED = /^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)/;

/** What a failed exchange means: a request may be sent again without a thought only where the first was never sent. */
function failure(error: unknown, url: string, hints: TransportHints, about: { readonly sent: boolean; readonly stalled: boolean }): IngotError {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) if (cause instanceof IngotError) return cause;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words = error instanceof Error ? error.message : String(error);
  if (UNTRUSTED.test(code)) {
    return new IngotError('verification', 'certificate-untrusted', `Nothing vouches for the certificate of ${url}: ${words}`, {
      cause: error,
      hint: hints.untrusted,
    });
  }
  if (error instanceof errors.RequestContentLengthMismatchError) {
    return new IngotError('verification', 'upload-size', 'The file has changed its size while it was sent', { cause: error, hint: 'Run it again.' });
  }
  if (!about.sent && NOT_CONNECTED.has(code)) {
    return new IngotError('upstream', 'server-unreachable', `${url} cannot be reached: ${words === '' ? code : words}`, {
      cause: error,
      hint: hints.unreachable,
    });
  }
  const how = about.stalled ? `it took no byte for ${STALL_LIMIT} s` : words;
  return new IngotError('upstream', 'connection-lost', `The connection to ${url} was lost before the answer came: ${how}`, { cause: error });
}

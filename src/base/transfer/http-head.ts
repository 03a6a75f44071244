import { IngotError } from '../errors.ts';
import type { ByteQueue } from './byte-queue.ts';

export interface Head {
  readonly status: number;
  readonly version: string;
  /** By lower-case name; of a header that comes more than once, the values joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Reads status line and headers (RFC 9112). Throws `download-failed` where they are none. */
export function parseHead(text: string, what: string): Head {
  const [first = '', ...lines] = text.split(/\r?\n/);
  const status = /^HTTP\/(1\.[01]) (\d{3})(?: |$)/.exec(first);
  if (status === null) throw new IngotError('upstream', 'download-failed', `${what}: the answer is no HTTP`, { detail: first.slice(0, 100) });
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return { status: Number(status[2]), version: status[1] ?? '1.1', headers };
}

export interface Body {
  readonly length: number | undefined;
  /** Whether the connection can take another request when the body was read. */
  readonly keepsConnection: boolean;
  /** Each piece is only valid until the next one is asked for. */
  pieces(bytes: ByteQueue): AsyncGenerator<Uint8Array>;
}

/** How the body is delimited (RFC 9112, 6.3). */
export function bodyOf({ status, version, headers }: Head): Body {
  const keeps = version === '1.1' && !/\bclose\b/i.test(headers.get('connection') ?? '');
  if (status === 204 || status === 304) return { length: 0, keepsConnection: keeps, pieces: nothing };
  if (/\bchunked\b/i.test(headers.get('transfer-encoding') ?? '')) return { length: undefined, keepsConnection: keeps, pieces: readChunked };
  const stated = headers.get('content-length');
  if (stated !== undefined && /^\d+$/.test(stated)) {
    const length = Number(stated);
    return { length, keepsConnection: keeps, pieces: (bytes) => readExactly(bytes, length) };
  }
  return { length: undefined, keepsConnection: false, pieces: readToEnd };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function* readExactly(bytes: ByteQueue, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    const piece = await bytes.next();
    if (piece === undefined) throw endedEarly(`after ${length - left} of ${length} bytes`);
    if (piece.length > left) bytes.unread(piece.subarray(left));
    const mine = piece.subarray(0, left);
    left -= mine.length;
    yield mine;
  }
}

async function* readChunked(bytes: ByteQueue): AsyncGenerator<Uint8Array> {
  for (;;) {
    const line = await bytes.until('\r\n');
    const size = /^([0-9a-f]{1,12})\s*(?:;|$)/i.exec(line)?.[1];
    if (size === undefined) throw endedEarly('in the middle of its chunks');
    if (Number.parseInt(size, 16) === 0) break;
    yield* readExactly(bytes, Number.parseInt(size, 16));
    await bytes.until('\r\n');
  }
  while ((await bytes.until('\r\n')) !== '');
}

async function* readToEnd(bytes: ByteQueue): AsyncGenerator<Uint8Array> {
  for (let piece = await bytes.next(); piece !== undefined; piece = await bytes.next()) yield piece;
}

function endedEarly(where: string): IngotError {
  return new IngotError('upstream', 'download-interrupted', `the connection ended ${where}`);
}

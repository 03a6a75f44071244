import { IngotError } from '../errors.ts';
import type { Host } from '../host.ts';
import { networkCause } from '../retry.ts';
import { shownValue } from '../settings.ts';
import { formatSize } from '../types.ts';
import { withoutAuthorization, type Answer, type HttpConnections } from './http.ts';
import type { About, PartFile } from './part-file.ts';
import type { Piece } from './pieces.ts';
import { interrupted } from './socket.ts';

/** How a download goes about it; tests make it small. */
export interface Tuning {
  /** Bytes that one request asks for. */
  readonly range: number;
  readonly connections: number;
  /** Seconds without a byte after which a connection counts as dead. */
  readonly stallSeconds: number;
  /** Seconds after which what came is written to the journal: what a killed download loses. */
  readonly saveSeconds: number;
}

export const TUNING: Tuning = { range: 16 * 2 ** 20, connections: 4, stallSeconds: 30, saveSeconds: 2 };
/** How often in a row it is tried without getting any further. */
const ATTEMPTS = 4;
/** How often the file may be another one before a single stream has to do, and before it is given up. */
const CHANGES = { single: 2, most: 4 } as const;

export interface RangeOptions {
  /** An `Authorization` among them goes to the server of the address alone. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly tuning: Tuning;
  /** Bytes that the file may have at most. */
  readonly limit: number;
  /** Called once the length is known and before anything is written; throws where it must not be. */
  readonly onLength: (length: number) => Promise<void>;
  readonly onProgress: (done: number, total: number | undefined) => void;
  readonly onRetry: (cause: string, attempt: number) => void;
  /** All that came is void: the file on the server is another one. */
  readonly onRestart: (because: 'first' | 'changed') => Promise<void>;
}

/** What the server says a file is: its size, and what to ask by whether it is still the same. */
export interface FileVersion {
  readonly size: number;
  readonly etag?: string;
  readonly modified?: string;
}

/** What all requests of one download know. */
interface Going extends RangeOptions {
  /** The server of the address that was asked for. */
  readonly origin: string | undefined;
}

/** The file on the server is not the one that the part is of. */
class Changed extends Error {}

/**
 * Fetches what lacks of a part, over several connections where the server gives ranges, and in one stream where it does not. Goes on after failures that may
 * pass, for as long as it gets any further. Resolves to the file's size, and its version where the server has told that. Throws `download-failed`, `download-too-large`, `redirect-insecure`, and what `onLength`
 * throws; the part keeps what came.
 */
export async function fetchRanges(host: Host, url: string, part: PartFile, options: RangeOptions): Promise<FileVersion> {
  const going = { ...options, origin: URL.parse(url)?.origin };
  const state = { connections: options.tuning.connections, changes: 0 };
  for (let failures = 0; ;) {
    const before = part.pieces.bytes;
    try {
      return await tryOnce(host, url, part, going, state.changes >= CHANGES.single ? 0 : state.connections);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof Changed) {
        if ((state.changes += 1) > CHANGES.most) throw failed(url, 'it is another file each time it is asked for', error);
        await part.begin();
        await options.onRestart('changed');
        continue;
      }
      if (!isTransient(error)) throw error;
      failures = part.about !== undefined && part.pieces.bytes > before ? 1 : failures + 1;
      if (failures >= ATTEMPTS) throw failed(url, networkCause(error), error);
      // A server that does not like so many connections says so by failing.
      state.connections = Math.max(1, Math.floor(state.connections / 2));
      options.onRetry(networkCause(error), failures);
      await host.clock.sleep(0.5 * 3 ** (failures - 1), options.signal);
    }
  }
}

/** One go: from the first request to the last byte, or the first failure of any connection. `connections` 0 asks for no ranges at all. */
async function tryOnce(host: Host, url: string, part: PartFile, options: Going, connections: number): Promise<FileVersion> {
  using http = await host.http();
  if (connections === 0) return await readStream(part, await get(http, url, undefined, undefined, options), options, url);
  const kept = part.about;
  const { range: most } = options.tuning;
  const [at = 0, to = most] = kept === undefined ? [] : (part.pieces.missing(kept.length, most)[0] ?? [kept.length]);
  if (kept !== undefined && at === kept.length) return versionOf(kept);
  const first = await getFrom(http, url, part, [at, to], options);
  if (first.status === 200) {
    if (kept !== undefined) throw new Changed();
    return await readStream(part, first, options, url);
  }
  if (first.status === 416) {
    if (kept !== undefined) throw new Changed();
    if (/^bytes \*\/0$/.test(first.headers.get('content-range') ?? '')) return await emptyFile(part, first, options);
  }
  const range = rangeOf(first);
  if (range === undefined || range.piece[0] !== at) throw failed(url, `the server answered ${first.status} to a range, with another one`);
  const about = aboutOf(first, range.total);
  if (kept === undefined) {
    await checkLength(about.length, options, url);
    await part.begin(about);
    await options.onRestart('first');
  } else if (!sameFile(kept, about)) throw new Changed();
  else if (kept.from !== about.from) part.moved(about.from);
  // Without a mark of the file's version nothing tells whether two answers are of the same one.
  if (validator(about) === undefined) return await readStream(part, await get(http, url, undefined, undefined, options), options, url);
  await readAll(http, part, about, { answer: first, piece: range.piece }, options, connections);
  return versionOf(about);
}

/** Reads the first answer, and beside it asks for all else. */
async function readAll(
  http: HttpConnections,
  part: PartFile,
  about: About,
  first: { readonly answer: Answer; readonly piece: Piece },
  options: Going,
  connections: number,
): Promise<void> {
  const abort = new AbortController();
  const signal = AbortSignal.any([options.signal, abort.signal]);
  const queue = part.pieces.missing(about.length, options.tuning.range).flatMap(([start, end]): Piece[] => {
    const rest = Math.max(start, Math.min(end, first.piece[1]));
    return start >= first.piece[0] && start < first.piece[1] ? (rest < end ? [[rest, end]] : []) : [[start, end]];
  });
  const read = async (answer: Answer, [start, end]: Piece): Promise<void> => {
    let at = start;
    for await (const bytes of answer.pieces()) {
      const mine = bytes.subarray(0, end - at);
      await part.write(at, mine);
      at += mine.length;
      options.onProgress(part.pieces.bytes, about.length);
    }
    if (at < end) throw interrupted(`the connection ended after ${at - start} of ${end - start} bytes`);
  };
  const worker = async (begin?: typeof first): Promise<void> => {
    if (begin !== undefined) await read(begin.answer, begin.piece);
    for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
      const answer = await get(http, about.from, piece, about, { ...options, signal });
      const range = rangeOf(answer);
      if (answer.status === 200 || answer.status === 416 || range === undefined || !sameFile(about, aboutOf(answer, range.total))) throw new Changed();
      if (range.piece[0] !== piece[0] || range.piece[1] !== piece[1]) throw failed(about.from, 'the server gave another range than it was asked for');
      await read(answer, piece);
    }
  };
  using _first = { [Symbol.dispose]: () => signal.aborted && first.answer.close() };
  const workers = [worker(first), ...Array.from({ length: Math.min(connections - 1, queue.length) }, () => worker())];
  try {
    await Promise.all(workers);
  } catch (error) {
    abort.abort();
    first.answer.close();
    await Promise.allSettled(workers);
    throw error;
  } finally {
    if (part.pieces.bytes < about.length) await part.save();
  }
}

/** One stream, which cannot be gone on with. */
async function readStream(part: PartFile, answer: Answer, options: Going, url: string): Promise<FileVersion> {
  if (answer.status !== 200) throw failed(url, `the server answered ${answer.status}`);
  if (answer.length !== undefined) await checkLength(answer.length, options, url);
  await part.begin();
  await options.onRestart('first');
  let size = 0;
  for await (const bytes of answer.pieces()) {
    if (size + bytes.length > options.limit) throw tooLarge(url, options.limit);
    await part.write(size, bytes);
    size += bytes.length;
    options.onProgress(size, answer.length);
  }
  return versionOf(aboutOf(answer, size));
}

async function emptyFile(part: PartFile, answer: Answer, options: Going): Promise<FileVersion> {
  answer.close();
  await part.begin();
  await options.onRestart('first');
  return { size: 0 };
}

/** Asks where the part's bytes came from; where that is gone, the address itself, which may lead elsewhere now. */
async function getFrom(http: HttpConnections, url: string, part: PartFile, piece: Piece, options: Going): Promise<Answer> {
  const { about } = part;
  if (about === undefined || about.from === url) return await get(http, url, piece, about, options);
  try {
    return await get(http, about.from, piece, about, options);
  } catch (error) {
    if (options.signal.aborted || !(error instanceof IngotError)) throw error;
    return await get(http, url, piece, about, options);
  }
}

async function get(http: HttpConnections, url: string, piece: Piece | undefined, about: About | undefined, options: Going): Promise<Answer> {
  const condition = about === undefined ? undefined : validator(about);
  const { headers: given = {} } = options;
  const headers = {
    ...(URL.parse(url)?.origin === options.origin ? given : withoutAuthorization(given)),
    ...(piece === undefined ? {} : { Range: `bytes=${piece[0]}-${piece[1] - 1}` }),
    ...(piece === undefined || condition === undefined ? {} : { 'If-Range': condition }),
  };
  const answer = await http.get(url, { headers, signal: options.signal, stallSeconds: options.tuning.stallSeconds });
  if ([200, 206, 416].includes(answer.status)) return answer;
  answer.close();
  if (answer.status >= 500 || answer.status === 429 || answer.status === 408) throw interrupted(`the server answered ${answer.status}`);
  throw failed(url, `the server answered ${answer.status}`);
}

async function checkLength(length: number, options: Going, url: string): Promise<void> {
  if (length > options.limit) throw tooLarge(url, options.limit, length);
  await options.onLength(length);
}

function rangeOf(answer: Answer): { readonly piece: Piece; readonly total: number } | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers.get('content-range') ?? '');
  if (answer.status !== 206 || match === null) return undefined;
  const [start, last, total] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return start <= last && last < total ? { piece: [start, last + 1], total } : undefined;
}

function aboutOf(answer: Answer, length: number): About {
  const [etag, modified] = [answer.headers.get('etag'), answer.headers.get('last-modified')];
  return { from: answer.url, length, ...(etag === undefined ? {} : { etag }), ...(modified === undefined ? {} : { modified }) };
}

function versionOf({ length, etag, modified }: About): FileVersion {
  return { size: length, ...(etag === undefined ? {} : { etag }), ...(modified === undefined ? {} : { modified }) };
}

function sameFile(a: About, b: About): boolean {
  return a.length === b.length && a.etag === b.etag && a.modified === b.modified;
}

/** What If-Range takes (RFC 9110, 13.1.5): a strong ETag, or a date. */
function validator({ etag, modified }: About): string | undefined {
  return etag !== undefined && !etag.startsWith('W/') ? etag : modified;
}

function isTransient(error: unknown): boolean {
  return error instanceof IngotError && error.code === 'download-interrupted';
}

function failed(url: string, why: string, cause?: unknown): IngotError {
  return new IngotError('upstream', 'download-failed', `${shownValue(url)} could not be downloaded: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Check the address and the network.',
  });
}

function tooLarge(url: string, limit: number, length?: number): IngotError {
  const size = length === undefined ? '' : `, with ${formatSize(length)}`;
  return new IngotError('upstream', 'download-too-large', `${shownValue(url)} is larger than ${formatSize(limit)}${size}`, {
    hint: 'No image is expected to be that large; the server may answer with something else.',
  });
}

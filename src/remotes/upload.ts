import { createHash } from 'node:crypto';
import type { Files } from '../base/files.ts';
import { hexOf } from '../base/types.ts';
import { damaged } from '../store/manifest.ts';
import { Transient, type HttpRequest } from './http.ts';
import { expectStatus, remoteFailed, type OutgoingBlob, type SendOptions } from './remote.ts';

/** A blob of no more goes in one request, from memory. */
const SMALL = 8 * 2 ** 20;
/** Bytes that are read at once. */
const PIECE = 4 * 2 ** 20;
/** The most that goes in one request: servers sync their disk after each, so that small chunks are slow. */
const CHUNK = 512 * 2 ** 20;
/** How often an upload that was cut is taken up again before it counts as failed. */
const ATTEMPTS = 6;

interface Caller {
  call(request: HttpRequest, from?: string): Promise<Response>;
}

/**
 * Brings a blob into a registry: taken from another repository where that has it, in one piece where it is small, else in chunks. After a cut the server
 * says how far it came, and the rest is sent; where it has forgotten the upload, it begins again.
 */
export async function uploadBlob(
  registry: Caller,
  files: Pick<Files, 'readPart'>,
  uploads: URL,
  blob: OutgoingBlob,
  options: SendOptions,
): Promise<'sent' | 'mounted'> {
  const { signal } = options;
  let opened = await openUpload(registry, uploads, blob, options.from, signal);
  if (opened === undefined) return 'mounted';
  let offset = 0;
  let failures = 0;
  for (;;) {
    try {
      await sendChunks(registry, files, opened, blob, offset, options);
      return 'sent';
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      failures += 1;
      if (failures >= ATTEMPTS) throw remoteFailed(uploads.host, `sending ${blob.digest}: ${error.message}`, error);
      const progress = await askProgress(registry, opened.url, signal);
      if (progress === undefined) {
        // It may have arrived although the answer did not.
        const there = await registry.call({ method: 'HEAD', url: new URL(`../${blob.digest}`, uploads), signal });
        if (there.status === 200) return 'sent';
        const again: Upload | undefined = await openUpload(registry, uploads, blob, undefined, signal);
        if (again === undefined) return 'mounted';
        opened = again;
        offset = 0;
      } else {
        opened = { ...opened, url: progress.url };
        offset = Math.min(progress.offset, blob.size);
      }
    }
  }
}

interface Upload {
  readonly url: URL;
  /** The least that the server takes in one chunk. */
  readonly least: number;
}

/** Where the blob is to be sent; undefined where the server has taken it from another repository. */
async function openUpload(registry: Caller, uploads: URL, blob: OutgoingBlob, from: string | undefined, signal: AbortSignal): Promise<Upload | undefined> {
  const url = new URL(uploads);
  if (from !== undefined) {
    url.searchParams.set('mount', blob.digest);
    url.searchParams.set('from', from);
  }
  const response = await registry.call({ method: 'POST', url, headers: { 'content-length': '0' }, signal }, from);
  await response.body?.cancel();
  if (from !== undefined && response.status === 201) return undefined;
  // The other repository may be one that we may not read.
  if (from !== undefined && response.status !== 202) return await openUpload(registry, uploads, blob, undefined, signal);
  expectStatus(response, [202], uploads.host, `beginning to send ${blob.digest}`);
  return { url: locationOf(response, uploads), least: Number(response.headers.get('oci-chunk-min-length') ?? 0) || 0 };
}

async function sendChunks(
  registry: Caller,
  files: Pick<Files, 'readPart'>,
  upload: Upload,
  blob: OutgoingBlob,
  start: number,
  { signal, onProgress }: SendOptions,
): Promise<void> {
  let { url } = upload;
  if (start === 0 && blob.size <= SMALL) {
    const whole = Uint8Array.from(await files.readPart(blob.path, 0, blob.size));
    if (createHash('sha256').update(whole).digest('hex') !== hexOf(blob.digest)) throw damaged(blob.path, 'its bytes have changed');
    return await finish(registry, url, blob, whole, signal);
  }
  const size = Math.max(CHUNK, upload.least);
  for (let offset = start; offset < blob.size;) {
    const end = Math.min(offset + size, blob.size);
    const chunk = { from: offset, end, signal, onProgress };
    const headers = { 'content-type': 'application/octet-stream', 'content-range': `${offset}-${end - 1}` };
    const response = await registry.call({ method: 'PATCH', url, headers, body: () => pieces(files, blob, chunk), again: false, signal });
    await response.body?.cancel();
    // The server has another idea of how far it came, or has forgotten the upload: it is asked.
    if (response.status === 416 || response.status === 404) throw new Transient(`the server answered ${response.status}`);
    expectStatus(response, [202, 204], url.host, `sending ${blob.digest}`);
    url = locationOf(response, url);
    offset = end;
  }
  await finish(registry, url, blob, new Uint8Array(0), signal);
}

/** A part of a file, the next piece being read while the last one is sent. */
async function* pieces(
  files: Pick<Files, 'readPart'>,
  blob: OutgoingBlob,
  { from, end, signal, onProgress }: { readonly from: number; readonly end: number } & Pick<SendOptions, 'signal' | 'onProgress'>,
): AsyncGenerator<Uint8Array> {
  const read = (position: number): Promise<Uint8Array> => files.readPart(blob.path, position, Math.min(PIECE, end - position));
  let next = read(from);
  for (let position = from; position < end;) {
    const piece = await next;
    signal.throwIfAborted();
    if (piece.length === 0) throw damaged(blob.path, `it has ${position} bytes instead of ${blob.size}`);
    position += piece.length;
    if (position < end) {
      next = read(position);
      next.catch(() => undefined);
    }
    yield piece;
    onProgress(position);
  }
}

async function finish(registry: Caller, at: URL, blob: OutgoingBlob, body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
  const url = new URL(at);
  url.searchParams.set('digest', blob.digest);
  const response = await registry.call({ method: 'PUT', url, headers: { 'content-type': 'application/octet-stream' }, body, again: false, signal });
  const { status } = response;
  const said = status === 400 ? await response.text().catch(() => '') : '';
  await response.body?.cancel().catch(() => undefined);
  if (status === 404 || status === 416) throw new Transient(`the server answered ${status}`);
  if (/DIGEST_INVALID/.test(said)) throw damaged(blob.path, `${url.host} found that its bytes have another digest`);
  expectStatus(response, [201, 204], url.host, `finishing ${blob.digest}`);
}

/** How far an upload came; undefined where the server does not know it any more, or knows nothing that could be gone on with. */
async function askProgress(registry: Caller, url: URL, signal: AbortSignal): Promise<{ readonly url: URL; readonly offset: number } | undefined> {
  const response = await registry.call({ method: 'GET', url, signal });
  await response.body?.cancel();
  if (response.status !== 204 && response.status !== 200) return undefined;
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.headers.get('range') ?? '')?.[1] ?? 0);
  // `0-0` is what servers say of nothing, and of a single byte.
  if (last === 0) return undefined;
  return { url: response.headers.get('location') === null ? url : locationOf(response, url), offset: last + 1 };
}

/** Where a server says to go on. Only on the same server: what is sent there has our authorization. */
function locationOf(response: Response, base: URL): URL {
  const location = response.headers.get('location');
  if (location === null) throw remoteFailed(base.host, 'it does not say where to send the blob');
  const url = new URL(location, base);
  if (url.host !== base.host) throw remoteFailed(base.host, `it says to send the blob to another server, ${url.host}`);
  // Behind a proxy, a server may believe that it is spoken to without TLS.
  url.protocol = base.protocol;
  return url;
}

import { open, type FileHandle } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { isIPv6, type AddressInfo } from 'node:net';
import { IngotError, systemErrorCode } from '../../base/errors.ts';
import { randomId, type Random } from '../../base/host.ts';
import type { ExportedDisk } from '../platform.ts';
import { parseRange, type ByteRange } from './range.ts';

export interface ServeOptions {
  /** The address that stands in the URL; it is listened on everywhere, since it may be that of a router before this host. */
  readonly address: string;
  /** Default: one that is free. */
  readonly port?: number | undefined;
  /** PEM; without it, plain HTTP. */
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  /** Name at the end of the path: its extension is looked at. */
  readonly filename: string;
  readonly random: Random;
}

/** What has been asked of the server so far: evidence for a download that stalls. */
export interface ServedTo {
  requests: number;
  bytes: number;
  readonly clients: Set<string>;
}

export interface ImageServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: ServedTo;
}

/** Large enough that reading costs little, small enough for memory that stays flat. */
const PIECE = 1024 * 1024;

/**
 * Serves one file over HTTP, under a path that nobody can guess and that is used once: with ranges, so that a download that was cut goes on. Nothing else is
 * answered. Ends when it is disposed. Throws `serve-port-taken`, `serve-tls-invalid`.
 */
export async function serveImage(disk: Pick<ExportedDisk, 'path' | 'size' | 'sha256'>, options: ServeOptions): Promise<ImageServer> {
  await using undo = new AsyncDisposableStack();
  // Opened once: whoever replaces the file meanwhile changes nothing of what is sent.
  const file = undo.use(await open(disk.path, 'r'));
  const path = `/${randomId(options.random, 16)}/${encodeURIComponent(options.filename)}`;
  const seen: ServedTo = { requests: 0, bytes: 0, clients: new Set() };
  const server = makeServer(options, (request, response) => void answer(request, response, { path, disk, file, seen }));
  undo.defer(() => closed(server));
  const port = await listening(server, options.port ?? 0);
  const stack = undo.move();
  const host = isIPv6(options.address) ? `[${options.address}]` : options.address;
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}${path}`,
    seen,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function makeServer({ tls }: ServeOptions, listener: RequestListener): Server {
  if (tls === undefined) return createHttpServer(listener);
  try {
    return createHttpsServer({ cert: tls.certificate, key: tls.key }, listener);
  } catch (error) {
    throw new IngotError('usage', 'serve-tls-invalid', 'The certificate and key for serving the image do not fit, or are not in PEM', { cause: error });
  }
}

async function listening(server: Server, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, resolve);
  try {
    await promise;
  } catch (error) {
    const taken = systemErrorCode(error) === 'EADDRINUSE';
    throw new IngotError('conflict', 'serve-port-taken', `Port ${port} cannot be listened on: ${taken ? 'somebody else does' : String(error)}`, {
      cause: error,
      hint: 'Give another one with --serve ADDRESS:PORT.',
    });
  }
  const address: string | AddressInfo | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

interface Served {
  readonly path: string;
  readonly disk: Pick<ExportedDisk, 'size' | 'sha256'>;
  readonly file: FileHandle;
  readonly seen: ServedTo;
}

async function answer(request: IncomingMessage, response: ServerResponse, { path, disk, file, seen }: Served): Promise<void> {
  const { method = '', url = '' } = request;
  const isFile = url === path || url.startsWith(`${path}?`);
  if (!isFile || (method !== 'GET' && method !== 'HEAD')) {
    response.writeHead(isFile ? 405 : 404, isFile ? { allow: 'GET, HEAD' } : {}).end();
    return;
  }
  seen.requests += 1;
  seen.clients.add(request.socket.remoteAddress ?? 'unknown');
  const etag = `"${disk.sha256}"`;
  // A range of another file is no range of this one.
  const conditional = request.headers['if-range'];
  const range = conditional === undefined || conditional === etag ? parseRange(request.headers.range, disk.size) : undefined;
  const headers = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', etag, 'cache-control': 'no-store' };
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${disk.size}` }).end();
    return;
  }
  const { from, until } = range ?? { from: 0, until: disk.size };
  const about = range === undefined ? {} : { 'content-range': `bytes ${from}-${until - 1}/${disk.size}` };
  response.writeHead(range === undefined ? 200 : 206, { ...headers, ...about, 'content-length': until - from });
  if (method === 'HEAD' || until === from) {
    response.end();
    return;
  }
  try {
    await send(file, response, { from, until }, (count) => (seen.bytes += count));
    response.end();
  } catch {
    // Whoever hangs up comes again with a range, or does not.
    response.destroy();
  }
}

/**
 * Streams of Node close the file when they are cut, and others still read it: so it is read here. One buffer is filled while the other is written, and both
 * are used again: fresh memory costs more than the copying.
 */
async function send(file: FileHandle, response: ServerResponse, { from, until }: ByteRange, onSent: (count: number) => void): Promise<void> {
  const size = Math.min(PIECE, until - from);
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const;
  let written = Promise.resolve();
  for (let [position, turn] = [from, 0]; position < until; turn += 1) {
    const buffer = buffers[turn % 2 === 0 ? 0 : 1];
    const { bytesRead } = await file.read(buffer, 0, Math.min(size, until - position), position);
    if (bytesRead === 0) throw new Error('the file has become shorter');
    position += bytesRead;
    await written;
    written = write(response, buffer.subarray(0, bytesRead));
    // Waited for in the next turn, or after the last.
    written.catch(() => undefined);
    onSent(bytesRead);
  }
  await written;
}

/** Resolves when the connection holds the bytes no more; rejects when it is gone. */
async function write(response: ServerResponse, piece: Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const closed = (): void => reject(new Error('the connection is gone'));
  response.once('close', closed);
  response.write(piece, (error) => (error === undefined || error === null ? resolve() : reject(error)));
  try {
    await promise;
  } finally {
    response.off('close', closed);
  }
}

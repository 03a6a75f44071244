import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import * as z from 'zod';

/** A file of the server, and what goes wrong with it. What is a list is used up, one for each request, and then all is well. */
export interface ServedFile {
  bytes: Uint8Array;
  /** Default: made of the bytes; null sends none. */
  etag?: string | null;
  modified?: string | null;
  /** Whether it gives ranges; default true. */
  ranges?: boolean;
  /** If-Range is not looked at, as some servers do. */
  ignoresIfRange?: boolean;
  /** Statuses to answer with instead of the file. */
  statuses?: number[];
  /** The connection is cut after so many bytes of the body. */
  cuts?: number[];
  /** Nothing comes any more after so many bytes of the body, and the connection stays open. */
  stalls?: number[];
  /** Bytes that Content-Length says too much. */
  lengthOff?: number;
  /** Where the file is instead. */
  redirect?: string;
  /** Called before a request is answered, with its number from 1. */
  onRequest?: (count: number, file: ServedFile) => void;
  /** The body comes in chunks, without its length. */
  chunked?: boolean;
  /** Content-Encoding, which is only said, not done: what servers make of `.gz`. */
  encoding?: string;
}

export interface SeenRequest {
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

export interface FaultServer extends AsyncDisposable {
  readonly url: string;
  /** By path, with its slash. */
  readonly files: Map<string, ServedFile>;
  readonly requests: SeenRequest[];
  /** Called with all bytes of bodies that were sent so far. */
  onSent: (bytes: number) => void;
}

/** A server on the loopback interface whose files have faults; over TLS, where it gets a key and a certificate. */
export async function faultServer(secure?: { readonly key: string; readonly cert: string }): Promise<FaultServer> {
  const files = new Map<string, ServedFile>();
  const requests: SeenRequest[] = [];
  const counts = new Map<string, number>();
  const sent = { bytes: 0 };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? '/';
    const file = files.get(path);
    const count = (counts.get(path) ?? 0) + 1;
    counts.set(path, count);
    if (file === undefined) response.writeHead(404).end('<html>not here</html>');
    else {
      file.onRequest?.(count, file);
      void answer(request, response, file, (bytes) => faulty.onSent((sent.bytes += bytes))).catch(() => response.destroy());
    }
    const { range, 'if-range': ifRange, 'if-none-match': ifNoneMatch, authorization } = request.headers;
    requests.push({ path, status: response.statusCode, headers: { range, ifRange: ifRange?.toString(), ifNoneMatch, authorization } });
  };
  const server = secure === undefined ? createServer(onRequest) : createSecureServer(secure, onRequest);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = z.object({ port: z.int() }).parse(server.address());
  const faulty: FaultServer = {
    url: `${secure === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    files,
    requests,
    onSent: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return faulty;
}

async function answer(request: IncomingMessage, response: ServerResponse, file: ServedFile, onBytes: (bytes: number) => void): Promise<void> {
  const etag = file.etag === undefined ? `"${createHash('sha256').update(file.bytes).digest('hex').slice(0, 12)}"` : file.etag;
  const { modified } = file;
  const status = file.statuses?.shift();
  if (status !== undefined) return void response.writeHead(status).end('no');
  if (file.redirect !== undefined) return void response.writeHead(302, { Location: file.redirect }).end();
  const headers: Record<string, string> = {
    ...(etag === null ? {} : { ETag: etag }),
    ...(modified === undefined || modified === null ? {} : { 'Last-Modified': modified }),
    ...(file.encoding === undefined ? {} : { 'Content-Encoding': file.encoding }),
  };
  if (etag !== null && request.headers['if-none-match'] === etag) return void response.writeHead(304, headers).end();
  const ifRange = request.headers['if-range']?.toString();
  const holds = ifRange === undefined || file.ignoresIfRange === true || ifRange === etag || ifRange === modified;
  const range = file.ranges === false || !holds ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const total = file.bytes.length;
  const start = Number(range?.[1] ?? 0);
  if (range !== null && start >= total) return void response.writeHead(416, { ...headers, 'Content-Range': `bytes */${total}` }).end();
  const end = range === null || range[2] === '' ? total : Math.min(total, Number(range[2]) + 1);
  const body = file.bytes.subarray(start, end);
  if (range !== null) headers['Content-Range'] = `bytes ${start}-${end - 1}/${total}`;
  if (file.chunked !== true) headers['Content-Length'] = String(body.length + (file.lengthOff ?? 0));
  response.writeHead(range === null ? 200 : 206, headers);
  const cut = file.cuts?.shift();
  const stall = file.stalls?.shift();
  const most = Math.min(body.length, cut ?? body.length, stall ?? body.length);
  for (let at = 0; at < most; at += 16_384) {
    const piece = body.subarray(at, Math.min(most, at + 16_384));
    if (!response.write(piece)) await once(response, 'drain');
    onBytes(piece.length);
  }
  if (stall !== undefined && stall < body.length) return;
  // What was written is to arrive before the connection is cut.
  if ((cut !== undefined && cut < body.length) || (file.lengthOff ?? 0) > 0) return void setImmediate(() => response.socket?.end());
  response.end();
}

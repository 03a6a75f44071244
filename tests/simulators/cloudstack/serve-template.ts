import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename } from 'node:path';
import type { SimCloud } from './cloud.ts';

/** Serves a template as the web server of a secondary storage VM does: with ranges, and no directory. `cutAt`: bytes after which the connection ends. */
export async function serveTemplate(cloud: SimCloud, request: IncomingMessage, response: ServerResponse, cutAt: number | undefined): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://x');
  const served = pathname.startsWith('/userdata/') ? cloud.served.get(basename(pathname)) : undefined;
  const file = served === undefined ? undefined : cloud.templates.get(served.template)?.rows.get(served.zone)?.file;
  if (file === undefined) return void response.writeHead(404).end('Not Found');
  const { size, mtimeMs } = await stat(file);
  const etag = `"${size.toString(16)}-${Math.round(mtimeMs).toString(16)}"`;
  if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
  const [, from = '0', until = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const [start, end] = [Number(from), until === '' ? size - 1 : Math.min(Number(until), size - 1)];
  const partial = request.headers.range !== undefined;
  response.writeHead(partial ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'content-length': end - start + 1,
    etag,
    ...(partial ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
  });
  if (request.method === 'HEAD') return void response.end();
  const stream = createReadStream(file, { start, end: cutAt === undefined ? end : Math.min(end, start + cutAt - 1) });
  for await (const chunk of stream) response.write(chunk);
  if (cutAt === undefined) response.end();
  else response.write('', () => request.socket.destroy());
}

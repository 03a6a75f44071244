import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import { connect, type Socket } from 'node:net';
import * as z from 'zod';

export interface ProxyServer extends AsyncDisposable {
  readonly url: string;
  /** What it was asked for: `CONNECT host:port`, or `GET http://…`, each with its Proxy-Authorization. */
  readonly asked: { readonly what: string; readonly authorization: string | undefined }[];
}

/** A proxy on the loopback interface that makes tunnels and passes requests on; with a status it refuses everything. */
export async function proxyServer(status?: number): Promise<ProxyServer> {
  const asked: { what: string; authorization: string | undefined }[] = [];
  const open = new Set<Socket>();
  const server = createServer((request, response) => {
    asked.push({ what: `${request.method} ${request.url}`, authorization: request.headers['proxy-authorization'] });
    if (status !== undefined) return void response.writeHead(status).end('no');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = ask(request.url ?? '', { headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end();
  });
  server.on('connection', (socket: Socket) => void open.add(socket));
  server.on('connect', (request, socket: Socket) => {
    asked.push({ what: `CONNECT ${request.url}`, authorization: request.headers['proxy-authorization'] });
    socket.on('error', () => undefined);
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    open.add(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = z.object({ port: z.int() }).parse(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

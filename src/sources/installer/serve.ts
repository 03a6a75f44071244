import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where a guest on QEMU's own network finds this host's loopback interface. */
const HOST_OF_GUEST = '10.0.2.2';

/** A file that is served, by its name. */
export interface ServedFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Serves files to one guest. */
export interface AnswerServer extends AsyncDisposable {
  /** The address of the folder with the files, as the guest writes it, with a slash at its end. */
  readonly url: string;
  /** The same from this host. */
  readonly localUrl: string;
}

/**
 * Serves an installation's files on the loopback interface, in a folder whose name (`token`) only the guest knows: answer files hold hashes of passwords, and others
 * of this host reach its ports too. `onAccess` is told of every request in that folder.
 */
export async function serveAnswers(files: readonly ServedFile[], token: string, onAccess: (name: string, found: boolean) => void): Promise<AnswerServer> {
  const byName = new Map(files.map(({ name, content }) => [name, content]));
  const server = createServer((request, response) => {
    const [, folder, written = ''] = /^\/+([^/?]+)\/+([^?]*)/.exec(request.url ?? '') ?? [];
    const name = decoded(written);
    const content = folder === token ? byName.get(name) : undefined;
    if (folder === token) onAccess(name, content !== undefined);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': content.length });
    response.end(request.method === 'HEAD' ? undefined : content);
  });
  const listening = Promise.withResolvers<undefined>();
  server.once('error', listening.reject);
  server.listen(0, '127.0.0.1', () => listening.resolve(undefined));
  await listening.promise;
  server.unref();
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const at = (host: string): string => `http://${host}:${port}/${token}/`;
  return {
    url: at(HOST_OF_GUEST),
    localUrl: at('127.0.0.1'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      const closed = Promise.withResolvers<undefined>();
      server.close(() => closed.resolve(undefined));
      await closed.promise;
    },
  };
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

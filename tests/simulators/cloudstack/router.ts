import { createServer, type RequestListener } from 'node:http';
import type { BootRequest } from './model.ts';

/*
 * Metadata and passwords as a virtual router offers them, at the ports that are its own: QEMU's user network leads the guest's gateway to the loopback of this
 * host. So it knows one guest at a time, and needs root.
 */

export interface VirtualRouter extends AsyncDisposable {
  /** Who asks from now on, and the password that it is given once. */
  tell(guest: BootRequest): void;
  /** What was asked for. */
  readonly asked: readonly string[];
}

export async function startRouter(): Promise<VirtualRouter> {
  await using stack = new AsyncDisposableStack();
  let [guest, password]: [BootRequest | undefined, string | undefined] = [undefined, undefined];
  const asked: string[] = [];
  const metadata = (): Record<string, string> => ({
    'availability-zone': 'z1',
    'instance-id': guest?.id ?? '',
    'local-hostname': guest?.name ?? '',
    'public-keys': guest?.metadata.publicKeys ?? '',
    'service-offering': 'small',
    'vm-id': guest?.id ?? '',
  });
  const listen = async (port: number, answer: RequestListener): Promise<void> => {
    const server = createServer(answer);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    stack.defer(() => {
      server.closeAllConnections();
      server.close();
    });
  };
  await listen(80, (request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const all = metadata();
    if (/^\/(?:latest|[\d-]+)\/meta-data\/?$/.test(path)) return void response.end(Object.keys(all).join('\n'));
    const [, leaf] = /^\/latest\/meta-data\/([^/]+)\/?$/.exec(path) ?? [];
    if (leaf !== undefined && Object.hasOwn(all, leaf)) return void response.end(all[leaf]);
    if (path === '/latest/user-data' && guest?.metadata.userData !== undefined) return void response.end(Buffer.from(guest.metadata.userData, 'base64'));
    response.writeHead(404).end();
  });
  await listen(8080, (request, response) => {
    const wish = String(request.headers['domu_request'] ?? '');
    asked.push(wish);
    if (wish === 'send_my_password') return void response.end(password ?? 'saved_password');
    if (wish === 'saved_password') password = undefined;
    response.end(wish === 'saved_password' ? 'saved_password' : 'bad_request');
  });
  const undo = stack.move();
  let given: string | undefined;
  return {
    asked,
    tell(next) {
      guest = next;
      // One that was given and saved is not given again.
      if (next.metadata.password !== given) password = next.metadata.password;
      given = next.metadata.password;
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}

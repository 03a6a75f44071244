import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { IngotError } from '../errors.ts';
import { shownValue } from '../settings.ts';
import { SOCKET_BUFFER, type ByteQueue } from './byte-queue.ts';
import { parseHead } from './http-head.ts';
import { proxyAuthorization } from './proxy.ts';

/** A failure that another try may not have. */
export function interrupted(message: string, cause?: unknown): IngotError {
  return new IngotError('upstream', 'download-interrupted', message, cause === undefined ? {} : { cause });
}

/** Whom to believe besides the usual authorities. */
export interface TlsTrust {
  /** Certificates in PEM. */
  readonly ca?: readonly string[];
  /** SHA-256, in hexadecimal, of the only certificate that the server may have, whoever signed it. */
  readonly fingerprint?: string;
}

interface SocketOptions {
  readonly signal: AbortSignal;
  readonly stallSeconds: number;
  readonly trust: TlsTrust;
}

/**
 * A socket to where an address is asked for: its server, or the proxy; to a server behind TLS through a tunnel of the proxy. What it reads goes to `bytes`. It may
 * not be connected yet, but for one that goes through a proxy. Throws `download-interrupted`, and `proxy-refused` where the proxy makes no tunnel.
 */
export async function openSocket(url: URL, proxy: URL | undefined, bytes: ByteQueue, options: SocketOptions): Promise<Socket | TLSSocket> {
  const onread = { buffer: Buffer.allocUnsafe(SOCKET_BUFFER), callback: (size: number, buffer: Uint8Array) => bytes.add(buffer.subarray(0, size)) };
  const net = await import('node:net');
  const secure = url.protocol === 'https:';
  if (!secure && proxy?.protocol !== 'https:') return net.connect({ ...addressOf(proxy ?? url), onread });
  const tls = await import('node:tls');
  if (proxy === undefined) {
    const direct = { ...addressOf(url), onread, ...identityOf(url, net.isIP), ...trustOf(options.trust, tls.rootCertificates) };
    return tls.connect(direct);
  }
  const outer = proxy.protocol === 'https:' ? tls.connect({ ...addressOf(proxy), ...identityOf(proxy, net.isIP) }) : net.connect(addressOf(proxy));
  await connected(outer, proxy, options);
  if (secure) await tunnel(outer, url, proxy, options);
  // What breaks it breaks the one inside it, which says so.
  outer.on('error', () => undefined);
  const socket = secure ? tls.connect({ socket: outer, ...identityOf(url, net.isIP), ...trustOf(options.trust, tls.rootCertificates) }) : outer;
  // Node gives `onread` to sockets alone that it makes itself.
  socket.on('data', (piece: Uint8Array) => {
    if (!bytes.add(piece)) socket.pause();
  });
  return socket;
}

function addressOf(url: URL): { readonly host: string; readonly port: number } {
  return { host: hostOf(url), port: Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port) };
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function identityOf(url: URL, isIP: (text: string) => number): { readonly ALPNProtocols: string[]; readonly servername?: string } {
  return { ALPNProtocols: ['http/1.1'], ...(isIP(hostOf(url)) === 0 ? { servername: hostOf(url) } : {}) };
}

function trustOf({ ca, fingerprint }: TlsTrust, rootCertificates: readonly string[]): ConnectionOptions {
  if (fingerprint !== undefined) return { rejectUnauthorized: false };
  return ca === undefined ? {} : { ca: [...ca, ...rootCertificates] };
}

/** Closes a connection whose certificate is not the one that it has to be, before anything is sent. Throws an error with the code `INGOT_FINGERPRINT`. */
export function checkFingerprint(socket: Socket | TLSSocket, { fingerprint }: TlsTrust): void {
  if (fingerprint === undefined || !('getPeerCertificate' in socket)) return;
  const seen = createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex');
  if (seen === fingerprint) return;
  socket.destroy();
  throw Object.assign(new Error(`its certificate is sha256:${seen}, and should be sha256:${fingerprint}`), { code: 'INGOT_FINGERPRINT' });
}

/** Waits until a proxy answers. Listeners are taken away again: whoever gets the socket has its own. */
async function connected(socket: Socket, proxy: URL, options: SocketOptions): Promise<void> {
  const ready = Promise.withResolvers<void>();
  socket.once(proxy.protocol === 'https:' ? 'secureConnect' : 'connect', () => ready.resolve());
  await guarded(socket, proxy, options, ready);
}

/** Asks a proxy for a tunnel (RFC 9110, 9.3.6). */
async function tunnel(socket: Socket, url: URL, proxy: URL, options: SocketOptions): Promise<void> {
  const { host, port } = addressOf(url);
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const authorization = proxyAuthorization(proxy);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, 'User-Agent: ingot'];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  const answer = Promise.withResolvers<void>();
  let text = '';
  const read = (piece: Uint8Array): void => {
    text += Buffer.from(piece).toString('latin1');
    const end = text.indexOf('\r\n\r\n');
    if (end === -1 && text.length < MOST_HEAD) return;
    try {
      const { status } = parseHead(text.slice(0, end === -1 ? undefined : end), `the proxy ${shownValue(proxy.href)}`);
      if (status < 200 || status > 299) throw refused(proxy, authority, status);
      answer.resolve();
    } catch (error) {
      answer.reject(error);
    }
  };
  socket.on('data', read);
  try {
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    await guarded(socket, proxy, options, answer);
  } finally {
    socket.off('data', read);
  }
}

const MOST_HEAD = 2 ** 16;

function refused(proxy: URL, authority: string, status: number): IngotError {
  const message = `The proxy ${shownValue(proxy.href)} makes no connection to ${authority}: it answered ${status}`;
  if (status >= 500) return interrupted(message);
  return new IngotError('upstream', 'proxy-refused', message, {
    hint:
      status === 407
        ? 'Put its user and password into the address of https_proxy: http://user:password@proxy.example:3128.'
        : 'Ask who runs it, or name the server in no_proxy.',
  });
}

/** Waits for what a proxy does; a dead, broken or given up connection ends it. */
async function guarded(socket: Socket, proxy: URL, { signal, stallSeconds }: SocketOptions, work: PromiseWithResolvers<void>): Promise<void> {
  const fail = (error: Error): void => work.reject(interrupted(`the proxy ${proxy.origin}: ${error.message}`));
  const closed = (): void => fail(new Error('it closed the connection'));
  const stalled = (): void => fail(new Error(`no byte came for ${stallSeconds} s`));
  const abort = (): void => work.reject(signal.reason);
  socket.on('error', fail).on('close', closed).on('timeout', stalled);
  socket.setTimeout(stallSeconds * 1000);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    await work.promise;
  } catch (error) {
    // Whatever it says while it goes is no news.
    socket.on('error', () => undefined).destroy();
    throw error;
  } finally {
    socket.off('error', fail).off('close', closed).off('timeout', stalled);
    signal.removeEventListener('abort', abort);
  }
}

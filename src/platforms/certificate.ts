import { connect, type PeerCertificate } from 'node:tls';
import { IngotError } from '../base/errors.ts';

export interface ShownCertificate {
  /** SHA-256, in upper-case pairs with colons. */
  readonly fingerprint: string;
  readonly subject: string;
  readonly issuer: string;
  readonly validTo: string;
  /** Whether the system's CAs vouch for it, and it names the host. */
  readonly trusted: boolean;
}

const LIMIT = 15;

/**
 * The certificate that a server shows: a TLS handshake and nothing else, so no secret is sent. Throws `server-unreachable`, and `interrupted` when the
 * signal fires.
 */
export async function shownCertificate(url: string, signal: AbortSignal): Promise<ShownCertificate> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const shown = Promise.withResolvers<ShownCertificate>();
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
  const socket = connect({ host, port: port === '' ? 443 : Number(port), rejectUnauthorized: false, ...name });
  const fail = (why: string): void =>
    shown.reject(
      new IngotError('upstream', 'server-unreachable', `${url} cannot be reached: ${why}`, {
        hint: 'Check the address and port, a firewall between, and whether the server is up.',
      }),
    );
  const stop = (): void => shown.reject(new IngotError('interrupted', 'interrupted', 'Stopped before the server had shown its certificate'));
  signal.addEventListener('abort', stop, { once: true });
  socket.setTimeout(LIMIT * 1000, () => fail(`no TLS within ${LIMIT} s`));
  socket.once('error', (error) => fail(error.message));
  socket.once('close', () => fail('it closes the connection at once'));
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerCertificate();
    shown.resolve({
      fingerprint: certificate.fingerprint256,
      subject: named(certificate.subject),
      issuer: named(certificate.issuer),
      validTo: certificate.valid_to,
      trusted: socket.authorized,
    });
  });
  try {
    return await shown.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

function named(name: PeerCertificate['subject'] | undefined): string {
  const common = name?.CN;
  return typeof common === 'string' ? common : '(no name)';
}

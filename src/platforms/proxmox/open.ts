import { openSecrets } from '../../base/secrets.ts';
import type { PlatformContext } from '../platform.ts';
import { ProxmoxClient } from './client.ts';
import type { ProxmoxTarget } from './target.ts';
import { httpsTransport, type Transport, type TransportHints } from '../transport.ts';

/** How a transport to a target is made; a test counts, cuts or pretends it. */
export type MakeTransport = (target: ProxmoxTarget) => Transport;

const HINTS: TransportHints = {
  unreachable: 'Check the address and port (8006), a firewall between, and whether the node is up.',
  untrusted: 'The token was not sent. `ingot target add` pins its fingerprint, or takes the CA of the cluster with --ca (/etc/pve/pve-root-ca.pem).',
  changed:
    'The token was not sent. If the certificate was renewed, compare the fingerprint in the web interface (node, System, Certificates), then run `ingot target add` again with --replace.',
};

export const realTransport: MakeTransport = (target) => httpsTransport(target.url, target.trust, HINTS);

/** A client with a secret that is given: of a target that is not stored yet. */
export function clientWith(context: PlatformContext, target: ProxmoxTarget, secret: string, makeTransport: MakeTransport = realTransport): ProxmoxClient {
  const { host, events, signal } = context;
  return new ProxmoxClient({ tokenId: target.tokenId, secret, transport: makeTransport(target), host, events, signal });
}

/** A client of a stored target. Throws `secret-unknown`. */
export async function openClient(
  context: PlatformContext,
  target: ProxmoxTarget,
  secretName: string,
  makeTransport: MakeTransport = realTransport,
): Promise<ProxmoxClient> {
  return clientWith(context, target, await openSecrets(context).value(secretName), makeTransport);
}

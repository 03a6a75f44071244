import { openSecrets } from '../../base/secrets.ts';
import type { PlatformContext } from '../platform.ts';
import { httpsTransport, type Transport, type TransportHints } from '../transport.ts';
import type { Trust } from '../trust.ts';
import { CloudStackClient } from './client.ts';
import type { Keys } from './signing.ts';
import { parseKeys, type CloudStackTarget } from './target.ts';

/** How a transport to a server is made: to the API, and to the upload address of a zone. A test counts, cuts or pretends it. */
export type MakeTransport = (origin: string, trust: Trust) => Transport;

const HINTS: TransportHints = {
  unreachable: 'Check the address and port (8080 or 8443 without a proxy before it), a firewall between, and whether the management server runs.',
  untrusted: 'No request was sent. `ingot target add` pins its fingerprint, or takes the CA that signed it with --ca.',
  changed: 'No request was sent. If the certificate was renewed, compare its fingerprint on the server, then run `ingot target add` again with --replace.',
};

export const realTransport: MakeTransport = (origin, trust) => httpsTransport(origin, trust, HINTS);

/** A client with keys that are given: of a target that is not stored yet. */
export function clientWith(context: PlatformContext, target: CloudStackTarget, keys: Keys, makeTransport: MakeTransport = realTransport): CloudStackClient {
  const { host, events, signal } = context;
  const { origin, pathname } = new URL(target.url);
  return new CloudStackClient({ path: pathname, keys, transport: makeTransport(origin, target.trust), host, events, signal });
}

/** A client of a stored target. Throws `secret-unknown`, `keys-invalid`. */
export async function openClient(
  context: PlatformContext,
  target: CloudStackTarget,
  secretName: string,
  makeTransport: MakeTransport = realTransport,
): Promise<CloudStackClient> {
  return clientWith(context, target, parseKeys(await openSecrets(context).value(secretName)), makeTransport);
}

import { openSecrets } from '../../base/secrets.ts';
import type { PlatformContext } from '../platform.ts';
import { ProxmoxClient } from './client.ts';
import type { ProxmoxTarget } from './target.ts';
import { httpsTransport, type Transport } from './transport.ts';

/** How a transport to a target is made; a test counts, cuts or pretends it. */
export type MakeTransport = (target: ProxmoxTarget) => Transport;

export const realTransport: MakeTransport = (target) => httpsTransport(target.url, target.trust);

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

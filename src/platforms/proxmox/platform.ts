import type { Platform, PlatformContext } from '../platform.ts';
import { checkTarget } from './check.ts';
import { openClient, realTransport, type MakeTransport } from './open.ts';
import { proxmoxPublisher } from './publisher.ts';
import { proxmoxContainers } from './containers.ts';
import type { ProxmoxTarget } from './target.ts';
import { proxmoxVms } from './vms.ts';

/** A platform that has all there is. */
export type ProxmoxPlatform = Platform & Required<Pick<Platform, 'containers'>>;

/** Opens a target that is Proxmox VE. Throws `secret-unknown`. */
export async function openProxmox(
  context: PlatformContext,
  target: ProxmoxTarget,
  secretName: string,
  makeTransport: MakeTransport = realTransport,
): Promise<ProxmoxPlatform> {
  const client = await openClient(context, target, secretName, makeTransport);
  return {
    capabilities: { linkedClones: true, snapshots: true, migrate: true, resize: true, console: true },
    publisher: proxmoxPublisher(context, client, target),
    vms: proxmoxVms(context, client, target),
    containers: proxmoxContainers(context, client, target),
    check: () => checkTarget(client, target),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

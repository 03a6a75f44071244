import type { Platform, PlatformContext } from '../platform.ts';
import { checkTarget } from './check.ts';
import { openTemplate } from './extract.ts';
import { kubernetesVersions } from './kubernetes.ts';
import { openClient, realTransport, type MakeTransport } from './open.ts';
import { cloudStackPublisher } from './publisher.ts';
import type { CloudStackTarget } from './target.ts';
import { cloudStackVms } from './vms.ts';

/** Opens a target that is CloudStack. Throws `secret-unknown`, `keys-invalid`. */
export async function openCloudStack(
  context: PlatformContext,
  target: CloudStackTarget,
  secretName: string,
  makeTransport: MakeTransport = realTransport,
): Promise<Platform> {
  const client = await openClient(context, target, secretName, makeTransport);
  return {
    capabilities: { linkedClones: false, snapshots: true, migrate: true, resize: true, console: true },
    publisher: cloudStackPublisher(context, client, target, makeTransport),
    vms: cloudStackVms(context, client, target),
    templates: { open: (name, { place }) => openTemplate(client, target, name, place) },
    kubernetesVersions: kubernetesVersions(client),
    check: () => checkTarget(client, target),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

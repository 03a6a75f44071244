import type { Platform, PlatformContext } from '../platforms/platform.ts';
import { targetSecret, type Target } from './targets.ts';

type Open = (context: PlatformContext, target: Target, secretName: string) => Promise<Platform>;

/** Every platform that one can publish to: a literal map, each loaded when it is used. */
const ADAPTERS: Readonly<Record<Target['platform'], () => Promise<Open>>> = {
  proxmox: async () => (await import('../platforms/proxmox/platform.ts')).openProxmox,
};

/** Opens the connection to a target; nothing is asked of it yet. Throws `secret-unknown`. */
export async function openPlatform(context: PlatformContext, target: Target): Promise<Platform> {
  return await (
    await ADAPTERS[target.platform]()
  )(context, target, targetSecret(target));
}

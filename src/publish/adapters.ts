import type { Platform, PlatformContext } from '../platforms/platform.ts';
import { targetSecret, type Target } from './targets.ts';

/** Opens the connection to a target; nothing is asked of it yet. Each platform is loaded when it is used. Throws `secret-unknown`. */
export async function openPlatform(context: PlatformContext, target: Target): Promise<Platform> {
  const secret = targetSecret(target);
  switch (target.platform) {
    case 'proxmox': {
      const { openProxmox } = await import('../platforms/proxmox/platform.ts');
      return await openProxmox(context, target, secret);
    }
    case 'cloudstack': {
      const { openCloudStack } = await import('../platforms/cloudstack/platform.ts');
      return await openCloudStack(context, target, secret);
    }
  }
}

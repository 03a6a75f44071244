import { takeLock } from '../base/lock.ts';
import { targetReference, type PlatformContext } from './platform.ts';

/** One command at a time makes or changes the way to a VM of that name on a target from here. */
export async function lockName(
  { host, home, signal, events }: PlatformContext,
  target: { readonly platform: string; readonly name: string },
  name: string,
): Promise<AsyncDisposable> {
  const on = targetReference(target);
  return await takeLock(host, home, `vm-${on.replace(':', '-')}-${name}`, {
    what: `making ${name} on ${on}`,
    signal,
    onWait: (owner) => events.message('info', `Waiting for ${owner?.what ?? 'another command'}`),
  });
}

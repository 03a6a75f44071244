import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { reachVm, type ReachedVm } from '../platforms/remote-login.ts';
import type { RemoteVm, RemoteVms } from '../platforms/remote-vms.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findTarget } from '../publish/targets.ts';
import type { Context } from './operation.ts';

/*
 * What the operations of `vm` do with --on. They import this file where that is given, and not before: whoever asks for VMs of this host does not wait for
 * the code of platforms.
 */

/** Works with the VMs of a target; shows what is done, and under it what the platform's own tasks say. */
export async function onTarget<T>(context: Context, on: string, what: string, work: (vms: RemoteVms, span: Span) => Promise<T>): Promise<T> {
  await using platform = await openPlatform(context, await findTarget(context, on));
  return await context.events.stage(what, (span) => work(platform.vms, span));
}

/** Works with one VM of a target. Throws `vm-unknown`, `vm-ambiguous`. */
export async function onVm<T>(
  context: Context,
  { on, name }: { readonly on: string; readonly name: string },
  what: string,
  work: (vms: RemoteVms, vm: RemoteVm, span: Span) => Promise<T>,
): Promise<T> {
  return await onTarget(context, on, `${what} ${name} on ${on}`, async (vms, span) => work(vms, await vms.find(name), span));
}

/** Waits until one can log in to a VM of a target. `timeout` is in seconds. */
export async function reach(context: Context, on: string, name: string, timeout: number | undefined): Promise<ReachedVm> {
  await using platform = await openPlatform(context, await findTarget(context, on));
  return await reachVm(context, platform.vms, await platform.vms.find(name), timeout);
}

/** Refuses flags that only VMs of this host know. Throws `on-unfitting`. */
export function refuseLocalFlags(on: string, flags: Readonly<Record<string, unknown>>): void {
  const given = Object.entries(flags).flatMap(([name, value]) =>
    isGiven(value) ? [`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`] : [],
  );
  if (given.length === 0) return;
  throw new IngotError('usage', 'on-unfitting', `${given.join(', ')} ${given.length === 1 ? 'is' : 'are'} for VMs of this host, not of ${on}`, {
    hint: 'Leave it away, or --on.',
  });
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
}

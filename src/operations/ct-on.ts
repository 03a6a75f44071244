import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { reachVm, type ReachedVm } from '../platforms/remote-login.ts';
import type { RemoteContainers, RemoteVm } from '../platforms/remote-vms.ts';
import { openPlatform } from '../publish/adapters.ts';
import { findTarget } from '../publish/targets.ts';
import type { Context } from './operation.ts';

/** A container that is there, by position. */
export const containerInput = z.string().min(1).describe("The container's name, or its number").meta({ positional: true });
/** Where it is. */
export const onInput = z.string().min(1).describe('The target that it is on, PLATFORM:NAME').meta({ placeholder: 'TARGET', complete: 'target' });

/** Works with the containers of a target. Throws `containers-unsupported`. */
export async function onContainers<T>(context: Context, on: string, what: string, work: (containers: RemoteContainers, span: Span) => Promise<T>): Promise<T> {
  await using platform = await openPlatform(context, await findTarget(context, on));
  const { containers } = platform;
  if (containers === undefined) throw new IngotError('usage', 'containers-unsupported', `${on} has no containers`, { hint: 'Proxmox VE has them.' });
  return await context.events.stage(what, (span) => work(containers, span));
}

/** Works with one container. Throws `vm-unknown`, `vm-ambiguous`. */
export async function onContainer<T>(
  context: Context,
  { on, name }: { readonly on: string; readonly name: string },
  what: string,
  work: (containers: RemoteContainers, container: RemoteVm, span: Span) => Promise<T>,
): Promise<T> {
  return await onContainers(context, on, `${what} ${name} on ${on}`, async (containers, span) => work(containers, await containers.find(name), span));
}

/** Waits until one can log in to a container. `timeout` is in seconds. */
export async function reachContainer(context: Context, on: string, name: string, timeout: number | undefined): Promise<ReachedVm> {
  return await onContainer(context, { on, name }, 'Waiting for', (containers, container) => reachVm(context, containers, container, timeout));
}

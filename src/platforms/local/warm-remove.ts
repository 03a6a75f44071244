import { join } from 'node:path';
import { makeScratch } from '../../base/scratch.ts';
import { toIngotError } from '../../base/errors.ts';
import { openStore } from '../../store/store.ts';
import { accelerator } from './accelerator.ts';
import { sweepFrozen } from './frozen.ts';
import type { LabContext } from './view.ts';
import { warmKey } from './warm-machine.ts';
import { findWarmState, loadWarmStates, warmSize, type WarmState } from './warm-record.ts';

/** A state as it is shown. */
export interface WarmView {
  readonly state: WarmState;
  /** Bytes of the host's disk. */
  readonly size: number;
  /** Why no VM can start from it any more, or undefined. */
  readonly useless: string | undefined;
}

/** All states, with what they take and whether they are of any use. */
export async function viewWarmStates(context: LabContext): Promise<WarmView[]> {
  const { host, home } = context;
  const states = await loadWarmStates(host, home);
  return await Promise.all(states.map(async (state) => ({ state, size: await warmSize(host, home, state), useless: await whyUseless(context, state) })));
}

async function whyUseless(context: LabContext, state: WarmState): Promise<string | undefined> {
  const { host, home, signal } = context;
  const { shape, key } = state;
  const image = await openStore(host, home)
    .resolve(shape.image.digest)
    .catch(() => undefined);
  if (image === undefined) return 'its image is gone';
  try {
    if ((await warmKey(context, shape, await accelerator({ host, home, signal }, shape.arch))) === key) return undefined;
  } catch (error) {
    return toIngotError(error).message;
  }
  return 'QEMU, its firmware, this host or the key for logging in have changed since';
}

/** Removes a state: out of sight in one step, then with its disk, unless VMs stand on that. VMs that were started from it go on. */
export async function removeWarmState(context: Pick<LabContext, 'host' | 'home' | 'signal'>, state: Pick<WarmState, 'key'>): Promise<void> {
  const { host, home } = context;
  await using scratch = await makeScratch(host, home, `removing the saved machine ${state.key}`);
  if ((await host.files.status(home.warmState(state.key))) !== undefined) await host.files.rename(home.warmState(state.key), join(scratch.path, 'warm'));
  await sweepFrozen(context);
}

/** What pruning takes away: states of no use, and folders that hold none. */
export async function pruneWarmStates(context: LabContext, options: { readonly dryRun: boolean }): Promise<WarmView[]> {
  const { host, home } = context;
  const useless = (await viewWarmStates(context)).filter((view) => view.useless !== undefined);
  if (options.dryRun) return useless;
  for (const { state } of useless) await removeWarmState(context, state);
  for (const key of await host.files.list(home.warm)) {
    if ((await findWarmState(host, home, key)) === undefined) await removeWarmState(context, { key });
  }
  return useless;
}

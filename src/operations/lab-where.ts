import type { Name } from '../base/types.ts';
import type * as remote from '../lab/remote/use.ts';
import { loadAnyLab, type RemoteLabState } from '../lab/state.ts';
import type { RemoteVms } from '../platforms/remote-vms.ts';
import type { Context } from './operation.ts';

/** A lab on a target, and what is done with it. */
export interface LabThere {
  readonly use: typeof remote;
  readonly state: RemoteLabState;
  readonly vms: RemoteVms;
}

/** Does the one with a lab of this host, the other with one on a target, whose code is loaded only then. Throws `lab-unknown`. */
export async function whereLab<T>(context: Context, name: Name, here: () => Promise<T>, there: (lab: LabThere) => Promise<T>): Promise<T> {
  const state = await loadAnyLab(context.host, context.home, name);
  if (!('platform' in state)) return await here();
  const [{ onLab }, use] = await Promise.all([import('./lab-on.ts'), import('../lab/remote/use.ts')]);
  return await onLab(context, state, (vms) => there({ use, state, vms }));
}

import { accelerator } from './accelerator.ts';
import { chooseMachine, type NewVm } from './create.ts';
import type { LabContext } from './view.ts';
import type { WarmState } from './warm-record.ts';
import { ensureWarmState } from './warm-save.ts';
import { warmShapeOf } from './warm-start.ts';

/**
 * Returns the state that `createVm` with `warm` starts such a VM from; makes it where there is none. Throws what resolving the image throws,
 * `warm-impossible`, `warm-space`, `memory-short`, and what booting it throws.
 */
export async function warmImage(context: LabContext, request: Pick<NewVm, 'image' | 'cpus' | 'memory' | 'disk' | 'firmware' | 'force'>): Promise<WarmState> {
  const machine = await chooseMachine(context, request);
  return ensureWarmState(context, warmShapeOf(machine, request), await accelerator(context, machine.arch), { force: request.force });
}

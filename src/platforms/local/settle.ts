import { settleDisks } from './frozen.ts';
import { settleName } from './settle-name.ts';
import { settleStill } from './still.ts';
import { settleSuspended } from './suspend.ts';
import type { LabContext } from './view.ts';
import type { VmRecord } from './vms.ts';

/** Finishes or undoes what a killed command left half done with a VM; returns its record. The caller holds the VM's lock. */
export async function settleVm(context: LabContext, vm: VmRecord): Promise<VmRecord> {
  const named = await settleName(context, vm);
  const followed = await settleDisks(context, await settleSuspended(context, named));
  return settleStill(context, followed);
}

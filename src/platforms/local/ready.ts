import type { Name } from '../../base/types.ts';
import type { Guest } from './guest.ts';
import { requireRunning } from './power.ts';
import type { LabContext } from './view.ts';

/**
 * The running machine of a VM, once one can log in; says what it waits for. `limit` is in seconds. Throws `vm-not-running`, `ssh-timeout`,
 * `qemu-ended`.
 */
export async function readyForSsh(context: LabContext, name: Name, limit?: number): Promise<Guest> {
  const guest = await requireRunning(context, name);
  await context.events.stage(`Waiting for ${name}`, (span) =>
    guest.waitForSsh({ signal: context.signal, onWait: (what) => span.progress(0, undefined, 'items', what), ...(limit === undefined ? {} : { limit }) }),
  );
  return guest;
}

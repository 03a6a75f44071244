import { IngotError } from '../../base/errors.ts';
import { isLocked } from '../../base/lock.ts';
import type { Name } from '../../base/types.ts';
import type { Guest } from './guest.ts';
import { vmState } from './machine-state.ts';
import { requireRunning } from './power.ts';
import type { LabContext } from './view.ts';
import { loadVm } from './vms.ts';

/** For QEMU's answer to how it is. */
const STATE_SECONDS = 2;

/**
 * The running machine of a VM, once one can log in; says what it waits for. `limit` is in seconds. Throws `vm-not-running`, `vm-suspended`,
 * `vm-paused`, `ssh-timeout`, `qemu-ended`.
 */
export async function readyForSsh(context: LabContext, name: Name, limit?: number): Promise<Guest> {
  const guest = await requireRunning(context, name);
  await refusePaused(context, name);
  await context.events.stage(`Waiting for ${name}`, (span) =>
    guest.waitForSsh({ signal: context.signal, onWait: (what) => span.progress(0, undefined, 'items', what), ...(limit === undefined ? {} : { limit }) }),
  );
  return guest;
}

/** A machine that stands still says nothing however long one waits, unless a command has it in hand and lets it go on. */
async function refusePaused(context: LabContext, name: Name): Promise<void> {
  const { state } = await vmState(context, await loadVm(context.host, context.home, name), STATE_SECONDS);
  if ((state !== 'paused' && state !== 'disk-full') || isLocked(context.home, `vm-${name}`)) return;
  throw new IngotError('conflict', 'vm-paused', state === 'paused' ? `${name} is paused` : `${name} is paused, since the host's disk is full`, {
    hint: `${state === 'paused' ? 'Let it go on' : 'Free some space, then let it go on'} with \`ingot vm resume ${name}\`.`,
  });
}

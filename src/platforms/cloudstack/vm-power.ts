import { IngotError } from '../../base/errors.ts';
import type { RemoteVm } from '../remote-vms.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { REQUESTS } from './requests.ts';
import { existingInstance, instanceOf } from './vm-view.ts';

/** Seconds for an instance that is on its way to arrive, and between questions. */
const [SETTLE_LIMIT, PAUSE] = [900, 5];
/** States on the way to another one. */
const MOVING = new Set(['Starting', 'Stopping', 'Migrating', 'Restoring']);

/** An instance once it has come to rest; nothing where it is gone. Throws `instance-stuck`. */
export async function settled(client: CloudStackClient, { id, name }: Pick<CsVm, 'id' | 'name'>, limit = SETTLE_LIMIT): Promise<CsVm | undefined> {
  const { clock } = client.host;
  const start = clock.monotonic();
  for (;;) {
    const vm = await instanceOf(client, { id });
    if (vm === undefined || !MOVING.has(vm.state)) return vm;
    const waited = (clock.monotonic() - start) / 1000;
    if (waited > limit)
      throw new IngotError('timeout', 'instance-stuck', `${name} has been ${vm.state} for ${Math.round(waited)} s`, {
        hint: 'The events of the instance in the web interface say why.',
      });
    await clock.sleep(PAUSE, client.signal);
  }
}

/** Destroys and expunges an instance. */
export async function destroyInstance(client: CloudStackClient, { id, name }: Pick<CsVm, 'id' | 'name'>): Promise<void> {
  const gone = async (): Promise<true | undefined> => ((await instanceOf(client, { id })) === undefined ? true : undefined);
  await client.work(REQUESTS.destroyVm(id), { what: `removing ${name}`, look: gone });
}

export async function startVm(client: CloudStackClient, vm: RemoteVm): Promise<void> {
  if ((await existingInstance(client, vm)).state === 'Running') return;
  const running = async (): Promise<true | undefined> => ((await settled(client, vm))?.state === 'Running' ? true : undefined);
  await client.work(REQUESTS.startVm(vm.id), { what: `starting ${vm.name}`, look: running });
}

/**
 * Asks a guest to shut down, and ends it by force where it has not in time. A hypervisor's host may have a shorter time of its own, after which it ends the
 * guest by force and does not say so.
 */
export async function stopVm(
  client: CloudStackClient,
  vm: RemoteVm,
  { timeout, force }: { readonly timeout: number; readonly force: boolean },
): Promise<'shut-down' | 'forced' | 'not-running'> {
  const { state } = await existingInstance(client, vm);
  if (state === 'Stopped' || state === 'Error') return 'not-running';
  if (!force) {
    const look = async (): Promise<'off' | 'late' | undefined> => {
      const now = (await instanceOf(client, vm))?.state;
      // A job that takes too long is looked up here as well.
      return now === 'Stopped' ? 'off' : now === 'Stopping' ? 'late' : undefined;
    };
    const { value } = await client.work(REQUESTS.stopVm(vm.id), { what: `shutting down ${vm.name}`, look, limit: timeout });
    if (value === 'off') return 'shut-down';
    client.events.message('warn', `${vm.name} has not shut down within ${timeout} s, and is ended by force`);
  }
  const off = async (): Promise<true | undefined> => ((await settled(client, vm))?.state === 'Stopped' ? true : undefined);
  await client.work(REQUESTS.stopVm(vm.id, true), { what: `stopping ${vm.name} by force`, look: off });
  return 'forced';
}

import type { RemoteVm } from '../remote-vms.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { settled } from './instances.ts';
import { REQUESTS } from './requests.ts';
import { existingInstance, instanceOf } from './vm-view.ts';

/** An instance once it has come to rest; nothing where it is gone. Throws `instance-stuck`. */
export async function settledVm(client: CloudStackClient, { id, name }: Pick<CsVm, 'id' | 'name'>): Promise<CsVm | undefined> {
  return await settled(client, name, () => instanceOf(client, { id }));
}

/** Destroys and expunges an instance. */
export async function destroyInstance(client: CloudStackClient, { id, name }: Pick<CsVm, 'id' | 'name'>): Promise<void> {
  const gone = async (): Promise<true | undefined> => ((await instanceOf(client, { id })) === undefined ? true : undefined);
  await client.work(REQUESTS.destroyVm(id), { what: `removing ${name}`, look: gone });
}

export async function startVm(client: CloudStackClient, vm: RemoteVm): Promise<void> {
  if ((await existingInstance(client, vm)).state === 'Running') return;
  const running = async (): Promise<true | undefined> => ((await settledVm(client, vm))?.state === 'Running' ? true : undefined);
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
  const off = async (): Promise<true | undefined> => ((await settledVm(client, vm))?.state === 'Stopped' ? true : undefined);
  await client.work(REQUESTS.stopVm(vm.id, true), { what: `stopping ${vm.name} by force`, look: off });
  return 'forced';
}

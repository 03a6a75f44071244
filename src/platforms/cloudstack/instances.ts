import { IngotError } from '../../base/errors.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { REQUESTS } from './requests.ts';

/** Seconds for an instance that is on its way to arrive, and between questions. */
const [SETTLE_LIMIT, PAUSE] = [900, 5];
/** States on the way to another one. */
const MOVING = new Set(['Starting', 'Stopping', 'Migrating', 'Restoring']);
/** States of one that is gone, though it may still be listed. */
const GONE = new Set(['Destroyed', 'Expunging']);

/** The instance of a name, which is unique in its network; none where it is gone. */
export async function vmNamed(client: CloudStackClient, name: string): Promise<CsVm | undefined> {
  return (await client.all(REQUESTS.vms({ name }))).find((vm) => vm.name === name && !GONE.has(vm.state));
}

/** The instance that `find` finds, once it has come to rest; nothing where it is gone. Throws `instance-stuck`. */
export async function settled(client: CloudStackClient, name: string, find: () => Promise<CsVm | undefined>): Promise<CsVm | undefined> {
  const { clock } = client.host;
  const start = clock.monotonic();
  for (;;) {
    const vm = await find();
    if (vm === undefined || !MOVING.has(vm.state)) return vm;
    const waited = (clock.monotonic() - start) / 1000;
    if (waited > SETTLE_LIMIT)
      throw new IngotError('timeout', 'instance-stuck', `${name} has been ${vm.state} for ${Math.round(waited)} s`, {
        hint: 'The events of the instance in the web interface say why.',
      });
    await clock.sleep(PAUSE, client.signal);
  }
}

/** The instance of a name once it is in a state; nothing where it is not there, or has come to rest in another one. Throws `instance-stuck`. */
export async function vmThat(client: CloudStackClient, name: string, state: 'Running' | 'Stopped'): Promise<CsVm | undefined> {
  const vm = await settled(client, name, () => vmNamed(client, name));
  if (vm === undefined || vm.state === state) return vm;
  // One that did not come up is in the way of another try.
  if (state === 'Running') await removeInstance(client, vm);
  return undefined;
}

/** Destroys and expunges an instance. Where the user may not expunge, it is destroyed, and the server expunges it in its own time. */
export async function removeInstance(client: CloudStackClient, { id, name }: Pick<CsVm, 'id' | 'name'>): Promise<void> {
  await client.work(REQUESTS.destroyVm(id), {
    what: `removing ${name}`,
    look: async () => ((await vmNamed(client, name)) === undefined ? true : undefined),
  });
}

/** Stops or starts an instance, and returns it as it is then. */
export async function powerTo(client: CloudStackClient, { id, name }: Pick<CsVm, 'id' | 'name'>, state: 'Running' | 'Stopped'): Promise<void> {
  const settled = async (): Promise<true | undefined> => ((await vmNamed(client, name))?.state === state ? true : undefined);
  const request = state === 'Running' ? REQUESTS.startVm(id) : REQUESTS.stopVm(id);
  await client.work(request, { what: `${state === 'Running' ? 'starting' : 'stopping'} ${name}`, look: settled });
}

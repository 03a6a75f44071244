import { IngotError } from '../../base/errors.ts';
import type { RemoteSnapshot, RemoteVm } from '../remote-vms.ts';
import type { CsVmSnapshot } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { REQUESTS } from './requests.ts';

/** Those that are whole; what has failed is in the way of nothing. */
export async function wholeSnapshots(client: CloudStackClient, { id }: RemoteVm): Promise<CsVmSnapshot[]> {
  return (await client.all(REQUESTS.vmSnapshots(id))).filter(({ state }) => state === undefined || state === 'Ready');
}

/** What people call a snapshot. */
export const snapshotName = ({ displayname, id }: CsVmSnapshot): string => displayname ?? id;

/** The snapshots of a VM, oldest first. */
export async function listSnapshots(client: CloudStackClient, vm: RemoteVm): Promise<RemoteSnapshot[]> {
  const all = (await wholeSnapshots(client, vm)).map((one): RemoteSnapshot => {
    const created = Date.parse(one.created ?? '');
    const { description, parentName: parent } = one;
    return {
      name: snapshotName(one),
      ...(Number.isNaN(created) ? {} : { created: new Date(created).toISOString() }),
      ...(description === undefined || description === snapshotName(one) ? {} : { description }),
      ...(parent === undefined ? {} : { parent }),
    };
  });
  return all.toSorted((a, b) => ((a.created ?? '') < (b.created ?? '') ? -1 : 1));
}

/** Makes a snapshot. Throws `snapshot-exists`. */
export async function snapshotVm(
  client: CloudStackClient,
  vm: RemoteVm,
  { name, description, memory }: { readonly name: string; readonly description?: string | undefined; readonly memory: boolean },
): Promise<void> {
  const there = async (): Promise<true | undefined> => ((await wholeSnapshots(client, vm)).some((one) => snapshotName(one) === name) ? true : undefined);
  if ((await there()) === true) throw new IngotError('conflict', 'snapshot-exists', `${vm.name} has a snapshot ${name} already`);
  await client.work(REQUESTS.createVmSnapshot(vm.id, name, description, memory), { what: `making the snapshot ${name} of ${vm.name}`, look: there });
}

/** Goes back to a snapshot. Throws `snapshot-unknown`. */
export async function restoreVm(client: CloudStackClient, vm: RemoteVm, name: string): Promise<void> {
  const { id } = await snapshotOf(client, vm, name);
  // The present may have been its child before: the same one again changes nothing that could be told, and does no harm.
  const done = async (): Promise<true | undefined> => ((await wholeSnapshots(client, vm)).some((one) => one.id === id && one.current) ? true : undefined);
  await client.work(REQUESTS.revertToVmSnapshot(id), { what: `restoring ${vm.name} to ${name}`, look: done });
}

/** Deletes a snapshot. Throws `snapshot-unknown`. */
export async function deleteSnapshot(client: CloudStackClient, vm: RemoteVm, name: string): Promise<void> {
  const { id } = await snapshotOf(client, vm, name);
  const gone = async (): Promise<true | undefined> => ((await wholeSnapshots(client, vm)).some((one) => one.id === id) ? undefined : true);
  await client.work(REQUESTS.deleteVmSnapshot(id), { what: `deleting the snapshot ${name} of ${vm.name}`, look: gone });
}

async function snapshotOf(client: CloudStackClient, vm: RemoteVm, name: string): Promise<CsVmSnapshot> {
  const all = await wholeSnapshots(client, vm);
  const found = all.find((one) => snapshotName(one) === name);
  if (found !== undefined) return found;
  throw new IngotError('not-found', 'snapshot-unknown', `${vm.name} has no snapshot ${name}`, {
    hint: all.length === 0 ? 'It has none.' : `It has ${all.map(snapshotName).join(', ')}.`,
  });
}

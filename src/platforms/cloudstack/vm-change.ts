import { IngotError } from '../../base/errors.ts';
import { formatSize } from '../../base/types.ts';
import { targetReference, type PlatformContext } from '../platform.ts';
import type { RemoteVm } from '../remote-vms.ts';
import type { CloudStackClient } from './client.ts';
import { ifAllowed } from './probe.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';
import { removeAccess } from './vm-access.ts';
import { ensureVmTags } from './vm-make.ts';
import { destroyInstance } from './vm-power.ts';
import { sizeFor } from './vm-size.ts';
import { ASKED_TAG, askedText, existingInstance, instanceOf, isOurs } from './vm-view.ts';

const [MIB, GIB] = [2 ** 20, 2 ** 30];

/** Expunges a VM that ingot made, with its disks and the way to it. Throws `vm-running`, `vm-not-ours`. */
export async function deleteVm(context: PlatformContext, client: CloudStackClient, target: CloudStackTarget, vm: RemoteVm): Promise<void> {
  const found = await existingInstance(client, vm);
  if (!isOurs(found)) {
    throw new IngotError('conflict', 'vm-not-ours', `${vm.name} (${vm.id}) on ${vm.on} was not made by ingot, or its tags were changed`, {
      hint: 'Delete it in the web interface.',
    });
  }
  if (found.state !== 'Stopped' && found.state !== 'Error') {
    throw new IngotError('conflict', 'vm-running', `${vm.name} on ${vm.on} is running`, { hint: 'Stop it first, or use --force.' });
  }
  // Before it: whose the rules are is known by the instance that they lead to.
  await removeAccess(context, client, target, vm);
  await destroyInstance(client, vm);
}

/** CloudStack copies no instances. */
export function refuseClone(vm: RemoteVm): Promise<never> {
  return Promise.reject(
    new IngotError('usage', 'vm-clone-unsupported', `CloudStack has no command that copies ${vm.name}`, {
      hint: 'Make another one with `ingot vm create`.',
    }),
  );
}

/** Gives a VM another offering, while it is off, and a larger disk. Throws `vm-running`, `disk-shrinks`, `offering-unfit`. */
export async function resizeVm(
  client: CloudStackClient,
  target: CloudStackTarget,
  vm: RemoteVm,
  { cpus, memory, disk }: { readonly cpus?: number | undefined; readonly memory?: number | undefined; readonly disk?: number | undefined },
): Promise<void> {
  if (cpus !== undefined || memory !== undefined) await scale(client, target, vm, { cpus, memory });
  if (disk !== undefined) await growDisk(client, vm, disk);
}

async function scale(
  client: CloudStackClient,
  target: CloudStackTarget,
  vm: RemoteVm,
  wish: { readonly cpus: number | undefined; readonly memory: number | undefined },
): Promise<void> {
  const found = await existingInstance(client, vm);
  if (found.state !== 'Stopped') {
    throw new IngotError('conflict', 'vm-running', `${vm.name} on ${vm.on} is running`, { hint: 'Processors and memory change while it is off.' });
  }
  const cpus = wish.cpus ?? vm.asked?.cpus ?? found.cpunumber ?? 1;
  const memory = wish.memory === undefined ? (vm.asked === undefined ? (found.memory ?? 0) : vm.asked.memory / MIB) : Math.ceil(wish.memory / MIB);
  const offerings = await client.all(REQUESTS.offerings(found.zoneid ?? ''));
  const size = sizeFor(offerings, { cpus, memory }, { wanted: target.defaults.offering, fallback: undefined }, { name: vm.place });
  const asSized = async (): Promise<true | undefined> => {
    const now = await instanceOf(client, vm);
    const same = now?.serviceofferingid === size.offering.id && (now.cpunumber ?? size.cpus) === size.cpus && (now.memory ?? size.memory) === size.memory;
    return same ? true : undefined;
  };
  if ((await asSized()) !== true) {
    await client.work(REQUESTS.scaleVm(vm.id, size.offering.id, size.details), { what: `giving ${vm.name} the offering ${size.offering.name}`, look: asSized });
  }
  if (!isOurs(found)) return;
  const exact = cpus === size.cpus && memory === size.memory;
  await ensureVmTags(client, vm, { [ASKED_TAG]: exact ? undefined : askedText({ cpus, memory }) });
}

async function growDisk(client: CloudStackClient, vm: RemoteVm, bytes: number): Promise<void> {
  const [volume] = await client.all(REQUESTS.rootVolumes(vm.id));
  if (volume === undefined)
    throw new IngotError('conflict', 'disk-missing', `${vm.name} has no root disk yet`, { hint: 'It gets one when it is first started.' });
  const { id, size = 0 } = volume;
  const wanted = Math.ceil(bytes / GIB);
  if (wanted * GIB === size) return;
  if (bytes < size) {
    throw new IngotError('usage', 'disk-shrinks', `The disk of ${vm.name} has ${formatSize(size)}, and disks do not shrink`, {
      hint: `Ask for ${formatSize(size)} or more.`,
    });
  }
  const grown = async (): Promise<true | undefined> => (((await client.all(REQUESTS.rootVolumes(vm.id)))[0]?.size ?? 0) >= wanted * GIB ? true : undefined);
  await client.work(REQUESTS.resizeVolume(id, wanted), { what: `growing the disk of ${vm.name}`, look: grown });
}

/** Moves a running VM to another host of its zone, which only administrators see. Throws `vm-migrate-unsupported`. */
export async function migrateVm(client: CloudStackClient, target: CloudStackTarget, vm: RemoteVm, place: string): Promise<void> {
  if (place === vm.place) return;
  const found = await existingInstance(client, vm);
  const hosts = await ifAllowed(client, REQUESTS.hosts(found.zoneid ?? '', place));
  const host = hosts?.find(({ name, id }) => name === place || id === place);
  if (host === undefined) {
    const why = hosts === undefined ? 'the keys are not those of an administrator, who alone sees hosts' : `the zone ${vm.place} has no host ${place}`;
    throw new IngotError('usage', 'vm-migrate-unsupported', `${vm.name} cannot be moved to ${place}: ${why}`, {
      hint: `An instance stays in its zone. In another one, \`ingot vm create … --on ${targetReference(target)} --place ZONE\` makes one anew.`,
    });
  }
  if (found.hostid === host.id) return;
  const there = async (): Promise<true | undefined> => ((await instanceOf(client, vm))?.hostid === host.id ? true : undefined);
  await client.work(REQUESTS.migrateVm(vm.id, host.id), { what: `moving ${vm.name} to ${place}`, look: there });
}

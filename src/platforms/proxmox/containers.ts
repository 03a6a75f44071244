import { IngotError } from '../../base/errors.ts';
import { targetReference, type PlatformContext } from '../platform.ts';
import type { NewContainer, RemoteContainers, RemoteVm } from '../remote-vms.ts';
import { checkAddress } from './address.ts';
import type { PveStorage } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { storageKey } from './facts.ts';
import { configOf, makeMachine, startMachine, workOn, type MachineId } from './machines.ts';
import { isVmOf, vmNotes } from './notes.ts';
import { viewNodes, type NodeView } from './probe.ts';
import { propertyString } from './properties.ts';
import { REQUESTS, type Parameters } from './requests.ts';
import type { ProxmoxTarget } from './target.ts';
import { isTemplate } from './template-state.ts';
import { lockName } from '../name-lock.ts';
import { refuseTaken, undo } from './vm-make.ts';
import { findVm, machineOf, VM_TAG } from './vm-view.ts';
import { proxmoxVms } from './vms.ts';

/** Containers on Proxmox VE: used as VMs are, at paths of their own, and made of an archive of a root file system. */
export function proxmoxContainers(context: PlatformContext, client: ProxmoxClient, target: ProxmoxTarget): RemoteContainers {
  const { create: _create, ...verbs } = proxmoxVms(context, client, target, 'container');
  return {
    ...verbs,
    create: (container) => createContainer(context, client, target, container),
    toTemplate: async (container, span) => {
      const machine = machineOf(container);
      const done = async (): Promise<boolean> => isTemplate((await configOf(client, machine)) ?? {});
      if (await done()) return;
      if (container.state !== 'stopped')
        throw new IngotError('conflict', 'vm-running', `${container.name} on ${container.on} is running`, { hint: 'Stop it first.' });
      await workOn(client, machine, `making a template of ${container.name}`, REQUESTS.toTemplate(machine), done, span);
    },
  };
}

/** Makes a container, whole or not at all; the archive is uploaded where its node has not got it. Throws `vm-exists`, `storage-unfit`, `node-down`. */
async function createContainer(context: PlatformContext, client: ProxmoxClient, target: ProxmoxTarget, wish: NewContainer): Promise<RemoteVm> {
  const { name, image, span } = wish;
  checkAddress(wish.machine);
  await using _lock = await lockName(context, target, name);
  await refuseTaken(client, target, name, 'container');
  const { node, archive, disks } = await chooseStorages(client, target, wish);
  const volume = await bringArchive(client, node, archive, wish);
  const template = { reference: image.reference, publication: 'none' };
  const ours = (notes: string | undefined): boolean => isVmOf(notes, name);
  let made: number | undefined;
  const at = (vmid: number): MachineId => ({ node, vmid, kind: 'lxc' });
  try {
    const vmid = await client.queue.run([storageKey(node, disks.storage, disks.shared)], () =>
      makeMachine(client, {
        node,
        kind: 'lxc',
        ids: undefined,
        what: (id) => `creating container ${id} (${name})`,
        request: (id) =>
          REQUESTS.createContainer(node, { ...containerConfig(wish, volume, disks.storage), vmid: id, description: vmNotes(name, template, 'unfinished') }),
        isOurs: ours,
        record: (id) => {
          made = id;
          return Promise.resolve();
        },
        span,
      }),
    );
    await client.call(REQUESTS.setConfig(at(vmid), { description: vmNotes(name, template, 'whole'), tags: `ingot;${VM_TAG}` }));
    if (wish.start) await startMachine(client, at(vmid), span);
    return await findVm(client, target, String(vmid), 'container');
  } catch (error) {
    if (made !== undefined) await undo(client, at(made), [], ours);
    throw error;
  }
}

/** The parameters of a container. Pure. `unprivileged` is said, since only newer servers take it for granted. */
export function containerConfig({ name, machine, disk, unprivileged, nesting }: NewContainer, volume: string, storage: string): Parameters {
  const keys = machine.sshKeys ?? [];
  const { ip = 'dhcp', gateway } = machine;
  const six = ip.includes(':');
  return {
    ostemplate: volume,
    hostname: name,
    // In GiB.
    rootfs: `${storage}:${Math.max(1, Math.ceil(disk / 2 ** 30))}`,
    cores: machine.cpus,
    memory: machine.memory,
    swap: 0,
    unprivileged,
    features: nesting ? 'nesting=1' : undefined,
    net0: propertyString('name=eth0', {
      bridge: machine.bridge ?? 'vmbr0',
      tag: machine.vlan,
      firewall: machine.firewall === true ? true : undefined,
      ...(six ? { ip6: ip, gw6: gateway } : { ip, gw: gateway }),
    }),
    nameserver: machine.nameserver,
    searchdomain: machine.searchDomain,
    // Not encoded twice, as those of a VM are.
    'ssh-public-keys': keys.length === 0 ? undefined : `${keys.join('\n')}\n`,
    onboot: machine.startWithHost,
    pool: machine.pool,
  };
}

interface Storages {
  readonly node: string;
  readonly archive: PveStorage;
  readonly disks: PveStorage;
}

/** The node that is asked for, or the one with most room, where one storage takes archives and one root file systems. Throws `node-unknown`, `storage-unfit`. */
async function chooseStorages(client: ProxmoxClient, target: ProxmoxTarget, { place, storage }: NewContainer): Promise<Storages> {
  const wanted = place ?? target.defaults.node;
  const views = (await viewNodes(client)).filter(({ node, online }) => online && (wanted === undefined || node.node === wanted));
  if (views.length === 0) {
    throw new IngotError('not-found', 'node-unknown', wanted === undefined ? 'No node is online' : `There is no node ${wanted} that is online`, {
      hint: `\`ingot target check ${targetReference(target)}\` shows them.`,
    });
  }
  const [best] = views
    .flatMap((view): Storages[] => {
      const archive = roomiest(view, 'vztmpl');
      const disks = storage === undefined ? roomiest(view, 'rootdir') : view.storages.find((one) => one.storage === storage && one.content.includes('rootdir'));
      return archive === undefined || disks === undefined ? [] : [{ node: view.node.node, archive, disks }];
    })
    .toSorted((a, b) => (b.disks.avail ?? 0) - (a.disks.avail ?? 0));
  if (best !== undefined) return best;
  throw new IngotError('host', 'storage-unfit', 'No node has storages that take archives (vztmpl) and root file systems (rootdir)', {
    hint: '`pvesm set STORAGE --content …,vztmpl` on a node for a storage of files, `…,rootdir` for one of disks.',
  });
}

function roomiest({ storages }: NodeView, content: 'vztmpl' | 'rootdir'): PveStorage | undefined {
  return storages
    .filter((one) => one.active && one.enabled && one.content.includes(content))
    .toSorted((a, b) => Number(b.shared) - Number(a.shared) || (b.avail ?? 0) - (a.avail ?? 0))[0];
}

/** Uploads the archive of an image, unless it is there; returns its volume. Its name has the digest, so one of that name is that one. */
async function bringArchive(client: ProxmoxClient, node: string, { storage, shared }: PveStorage, { image, archive, span }: NewContainer): Promise<string> {
  const digest = image.digest.slice('sha256:'.length, 'sha256:'.length + 16);
  const filename = `ingot-${image.name.replaceAll(/[^a-z0-9.-]/g, '-')}-${digest}.tar.zst`;
  const volume = `${storage}:vztmpl/${filename}`;
  const there = async (): Promise<number | undefined> =>
    (await client.call(REQUESTS.content(node, storage, 'vztmpl'))).find(({ volid }) => volid === volume)?.size;
  await client.queue.run([storageKey(node, storage, shared)], async () => {
    // The server moves an upload into place when it is whole.
    if ((await there()) !== undefined) return;
    const file = await archive();
    await client.upload(file, { node, storage, content: 'vztmpl', filename }, { done: async () => (await there()) === file.size, span });
  });
  return volume;
}

import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { lockName } from '../name-lock.ts';
import { targetReference, type PlatformContext } from '../platform.ts';
import type { NewRemoteVm, RemoteVm } from '../remote-vms.ts';
import { checkAddress } from './address.ts';
import type { ProxmoxClient } from './client.ts';
import { placeFactsSchema, storageKey, type PlaceFacts } from './facts.ts';
import { configOf, destroyOurs, makeMachine, startMachine, type MachineId } from './machines.ts';
import { isUnfinished, isVmOf, publicationOf, vmNotes } from './notes.ts';
import { propertyString } from './properties.ts';
import { REQUESTS, type Clone, type Parameters } from './requests.ts';
import type { ProxmoxTarget } from './target.ts';
import { existingConfig, findVm, machineOf, vmResources, VM_TAG, type Kind } from './vm-view.ts';
import { guestOf, vmTags } from './vm-config.ts';
import { resizeDisk } from './vm-change.ts';
import { attachSeed } from './vm-seed.ts';

/** Makes a VM from a template, whole or not at all. Throws `vm-exists`, `place-unfit`. */
export async function createVm(context: PlatformContext, client: ProxmoxClient, target: ProxmoxTarget, vm: NewRemoteVm): Promise<RemoteVm> {
  const { name, template, span } = vm;
  checkAddress(vm.machine);
  await using _lock = await lockName(context, target, name);
  await refuseTaken(client, target, name);
  const { facts, node } = await placeFor(client, target, vm);
  const source = facts.machine;
  if (source === undefined) throw new IngotError('internal', 'machine-missing', `${template.publication} has no template on ${facts.node}`);
  const full = vm.full || !facts.linked;
  return await making(client, target, {
    name,
    node: facts.node,
    to: node,
    source: source.vmid,
    kind: 'vm',
    span,
    clone: {
      description: vmNotes(name, template, 'unfinished'),
      full,
      storage: full ? facts.diskStorage : undefined,
      pool: vm.machine.pool ?? facts.pool,
      target: node === facts.node ? undefined : node,
    },
    storage: storageKey(facts.node, facts.diskStorage, facts.diskShared),
    finish: async (machine) => {
      await client.call(REQUESTS.setConfig(machine, { ...hardwareOf(vm), ...(await guestChange(client, machine, vm)) }));
      if (vm.seed !== undefined) await attachSeed(context, client, machine, { ...vm.seed, name, sshKeys: vm.machine.sshKeys ?? [] }, span);
      if (vm.disk !== undefined) await resizeDisk(client, { name, machine }, vm.disk, span);
      await client.call(
        REQUESTS.setConfig(machine, { description: vmNotes(name, template, 'whole'), tags: vmTags({ name: facts.tags[1] ?? name }, [VM_TAG]).join(';') }),
      );
      if (vm.start) await startMachine(client, machine, span);
    },
  });
}

/** Copies a VM with its disks; only templates have linked clones. Throws `vm-exists`. */
export async function cloneVm(
  context: PlatformContext,
  client: ProxmoxClient,
  target: ProxmoxTarget,
  vm: RemoteVm,
  to: { readonly name: string; readonly place?: string | undefined; readonly start: boolean },
  span?: Span,
): Promise<RemoteVm> {
  await using _lock = await lockName(context, target, to.name);
  await refuseTaken(client, target, to.name, vm.kind);
  const config = await existingConfig(client, vm);
  const template = { reference: vm.name, publication: publicationOf(config['description']) ?? 'none' };
  const { node } = machineOf(vm);
  return await making(client, target, {
    name: to.name,
    node,
    to: to.place ?? node,
    source: Number(vm.id),
    kind: vm.kind,
    span,
    clone: { description: vmNotes(to.name, template, 'unfinished'), full: true, target: to.place === undefined || to.place === node ? undefined : to.place },
    storage: `vm ${vm.id}`,
    finish: async (machine) => {
      await client.call(REQUESTS.setConfig(machine, { description: vmNotes(to.name, template, 'whole'), tags: VM_TAG }));
      if (to.start) await startMachine(client, machine, span);
    },
  });
}

interface Making {
  readonly name: string;
  readonly node: string;
  readonly to: string;
  readonly source: number;
  readonly kind: Kind;
  readonly clone: Omit<Clone, 'newid' | 'name'>;
  /** What only one clone at a time may work on. */
  readonly storage: string;
  readonly finish: (machine: MachineId) => Promise<void>;
  readonly span: Span | undefined;
}

/** Clones, and finishes the clone; what fails or is interrupted is removed. */
async function making(client: ProxmoxClient, target: ProxmoxTarget, { name, node, to, source, kind, clone, storage, finish, span }: Making): Promise<RemoteVm> {
  const ours = (notes: string | undefined): boolean => isVmOf(notes, name);
  const lxc = kind === 'container' ? ('lxc' as const) : undefined;
  let made: number | undefined;
  try {
    const vmid = await client.queue.run([storage], () =>
      makeMachine(client, {
        node,
        kind: lxc,
        to,
        ids: undefined,
        what: (id) => `cloning VM ${source} to VM ${id} (${name})`,
        request: (newid) => REQUESTS.cloneVm({ node, vmid: source, kind: lxc }, { ...clone, newid, name }),
        isOurs: ours,
        also: [source],
        record: (id) => {
          made = id;
          return Promise.resolve();
        },
        span,
      }),
    );
    await finish({ node: to, vmid, kind: lxc });
    return await findVm(client, target, String(vmid), kind);
  } catch (error) {
    if (made !== undefined) await undo(client, { node: to, vmid: made, kind: lxc }, [source], ours);
    throw error;
  }
}

export async function undo(client: ProxmoxClient, machine: MachineId, also: readonly number[], ours: (notes: string | undefined) => boolean): Promise<void> {
  try {
    await destroyOurs(client.undoing(), machine, ours, also);
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    client.events.message('warn', `VM ${machine.vmid} on ${machine.node} could not be removed now (${error.message}); making it again does`);
  }
}

/** What was being made under that name when it was cut is removed; everything else of that name is in the way. Throws `vm-exists`. */
export async function refuseTaken(client: ProxmoxClient, target: ProxmoxTarget, name: string, kind: Kind = 'vm'): Promise<void> {
  const lxc = kind === 'container' ? ('lxc' as const) : undefined;
  for (const { vmid = 0, node = '' } of (await vmResources(client, kind)).filter((one) => one.name === name)) {
    const config = await configOf(client, { node, vmid, kind: lxc });
    if (config === undefined) continue;
    const notes = config['description'];
    if (isVmOf(notes, name) && isUnfinished(notes)) {
      client.events.message('info', `VM ${vmid} on ${node} was left half made, and is removed`);
      await destroyOurs(client, { node, vmid, kind: lxc }, (text) => isVmOf(text, name));
      continue;
    }
    throw new IngotError('conflict', 'vm-exists', `${targetReference(target)} has a VM named ${name}: ${vmid} on ${node}`, {
      hint: 'Choose another name, or delete that one.',
    });
  }
}

/** The template and node for a VM: those that are asked for, else the node of a template that has the fewest VMs. Throws `place-unfit`. */
async function placeFor(client: ProxmoxClient, target: ProxmoxTarget, { template, place }: NewRemoteVm): Promise<{ facts: PlaceFacts; node: string }> {
  const places = template.places.map(({ facts }) => placeFactsSchema.parse(facts));
  if (place !== undefined) {
    const own = places.find(({ node }) => node === place);
    if (own !== undefined) return { facts: own, node: place };
    // A disk that every node sees can be cloned to any of them.
    const shared = places.find(({ diskShared }) => diskShared);
    if (shared !== undefined) return { facts: shared, node: place };
    throw new IngotError('conflict', 'place-unfit', `${template.reference} has no template that ${place} sees`, {
      hint: `There is one on ${places.map(({ node }) => node).join(', ')}; \`ingot publish … --to ${targetReference(target)} --node ${place}\` makes one there.`,
    });
  }
  const crowd = new Map<string, number>();
  for (const { node = '' } of await vmResources(client)) crowd.set(node, (crowd.get(node) ?? 0) + 1);
  const [best] = places.toSorted((a, b) => (crowd.get(a.node) ?? 0) - (crowd.get(b.node) ?? 0));
  if (best === undefined) throw new IngotError('not-found', 'template-missing', `${template.publication} has no template`);
  return { facts: best, node: best.node };
}

/** Processors and memory, where they are asked for. */
function hardwareOf({ machine }: NewRemoteVm): Parameters {
  return {
    cores: machine.cpus,
    memory: machine.memory,
    balloon: machine.balloon,
    cpu: machine.cpuType,
    onboot: machine.startWithHost,
    ...(machine.bridge === undefined
      ? {}
      : { net0: propertyString('virtio', { bridge: machine.bridge, tag: machine.vlan, mtu: machine.mtu, firewall: machine.firewall }) }),
  };
}

/** What cloud-init tells the guest: the user of the template stays, where no other is asked for. */
async function guestChange(client: ProxmoxClient, machine: MachineId, { machine: wish }: NewRemoteVm): Promise<Parameters> {
  const config = (await configOf(client, machine)) ?? {};
  const { ipconfig0, ...guest } = guestOf(wish, config['ciuser'] ?? 'root');
  // An address is one machine's: that of the template, if it had one, is no clone's.
  return { ...guest, ipconfig0 };
}

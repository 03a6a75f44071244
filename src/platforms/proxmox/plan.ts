import { IngotError, nearest } from '../../base/errors.ts';
import type { MachineWish, PlaceWish, PublishedImage, PublishPlan } from '../platform.ts';
import { checkAddress } from './address.ts';
import type { ProxmoxClient } from './client.ts';
import type { PlaceFacts } from './facts.ts';
import { templateNotes, trialNotes } from './notes.ts';
import { serverVersion, viewNodes, type NodeView } from './probe.ts';
import { describeRequest, REQUESTS } from './requests.ts';
import { planStorage, type StoragePlan } from './storage-planner.ts';
import type { ProxmoxTarget } from './target.ts';
import { guestOf, vmConfig, vmName, vmTags } from './vm-config.ts';

interface Planned {
  readonly node: string;
  readonly storage: StoragePlan;
}

/** Chooses nodes and storages, with reasons, and lists the requests that a publication makes. Asks the server and changes nothing. */
export async function planPublication(
  client: ProxmoxClient,
  target: ProxmoxTarget,
  image: PublishedImage,
  size: { readonly virtual: number; readonly file: number },
  wish: PlaceWish,
  machine: MachineWish,
): Promise<PublishPlan> {
  checkAddress(machine);
  const server = await serverVersion(client);
  const views = await viewNodes(client);
  const storageWish = { storage: wish.storage ?? target.defaults.storage, uploadStorage: wish.uploadStorage ?? target.defaults.uploadStorage };
  const planned = chooseNodes(views, wish, target).map((view): Planned => ({
    node: view.node.node,
    storage: planStorage(view.node.node, view.storages, size, storageWish),
  }));
  const chosen = wish.nodes.length > 0 || wish.allNodes ? perStorage(planned) : bestOf(planned);
  const withDefaults = { ...machine, bridge: machine.bridge ?? target.defaults.bridge, pool: machine.pool ?? target.defaults.pool };
  const places = chosen.map(({ node, storage }) => ({
    id: node,
    facts: factsFor(node, storage, image, wish, withDefaults),
    disk: { format: 'qcow2', guest: 'kvm' } as const,
    why: [`${node}: Proxmox VE ${server.version}`, ...storage.why],
  }));
  return {
    places,
    warnings: warningsOf(views, chosen, planned),
    calls: places.flatMap(({ facts }) => callsOf(facts, image, withDefaults)),
  };
}

/** The nodes that are asked for, or all that are up. Throws `node-unknown`, `node-down`. */
function chooseNodes(views: readonly NodeView[], wish: PlaceWish, target: ProxmoxTarget): NodeView[] {
  const names = wish.nodes.length > 0 ? wish.nodes : wish.allNodes || target.defaults.node === undefined ? [] : [target.defaults.node];
  const online = views.filter((view) => view.online);
  if (names.length === 0) {
    if (online.length > 0) return online;
    throw new IngotError('upstream', 'node-down', 'No node is online', { hint: '`ingot target check` shows their states.' });
  }
  return names.map((name) => {
    const view = views.find(({ node }) => node.node === name);
    if (view === undefined) {
      const known = views.map(({ node }) => node.node);
      const near = nearest(name, known);
      throw new IngotError('not-found', 'node-unknown', `There is no node ${name}`, { hint: `There are ${(near.length > 0 ? near : known).join(', ')}.` });
    }
    if (!view.online)
      throw new IngotError('upstream', 'node-down', `The node ${name} is ${view.node.status}`, {
        hint: 'Publish to it when it is up again, or to another one.',
      });
    return view;
  });
}

/** The node whose disks have the most free space. */
function bestOf(planned: readonly Planned[]): Planned[] {
  const [best] = planned.toSorted((a, b) => (b.storage.disks.avail ?? 0) - (a.storage.disks.avail ?? 0) || (a.node < b.node ? -1 : 1));
  return best === undefined ? [] : [best];
}

/** A shared storage needs one template for all nodes; each storage of a node's own needs one there. */
function perStorage(planned: readonly Planned[]): Planned[] {
  const seen = new Set<string>();
  return planned.filter(({ storage }) => {
    if (!storage.disks.shared) return true;
    if (seen.has(storage.disks.storage)) return false;
    seen.add(storage.disks.storage);
    return true;
  });
}

function warningsOf(views: readonly NodeView[], chosen: readonly Planned[], planned: readonly Planned[]): string[] {
  const down = views.filter(({ online }) => !online).map(({ node }) => `The node ${node.node} is ${node.status}, and gets nothing`);
  const others = planned.filter(({ node, storage }) => !storage.disks.shared && !chosen.some((one) => one.node === node));
  const local = chosen.filter(({ storage }) => !storage.disks.shared);
  const alone =
    others.length > 0 && local.length > 0
      ? [
          `${local[0]?.storage.disks.storage ?? ''} is not shared: VMs on ${others.map(({ node }) => node).join(', ')} cannot be cloned from it. --all-nodes makes one template for each node`,
        ]
      : [];
  return [...down, ...alone];
}

function factsFor(node: string, storage: StoragePlan, image: PublishedImage, wish: PlaceWish, machine: MachineWish): PlaceFacts {
  return {
    node,
    uploadStorage: storage.upload.storage,
    uploadShared: storage.upload.shared,
    lacksContent: storage.lacksContent,
    diskStorage: storage.disks.storage,
    diskShared: storage.disks.shared,
    diskFormat: storage.format,
    linked: storage.linked,
    publication: image.publication,
    name: vmName(wish.namePattern, image),
    // Names are made plain by the server, and a file that is there is overwritten: the digest makes it this image's alone.
    filename: `ingot-${image.name.replaceAll(/[^a-z0-9.-]/g, '-')}-${image.digest.slice('sha256:'.length, 'sha256:'.length + 16)}.qcow2`,
    tags: vmTags(image, machine.tags),
    pool: machine.pool,
    ids: wish.ids === undefined ? undefined : [wish.ids[0], wish.ids[1]],
  };
}

/** Numbers that stand for those that are not known yet, in what is shown. */
const [SHOWN_VMID, SHOWN_TRIAL] = [100, 101];

function callsOf(facts: PlaceFacts, image: PublishedImage, machine: MachineWish): string[] {
  const { node } = facts;
  const vmid = facts.ids?.[0] ?? SHOWN_VMID;
  const [template, trial] = [
    { node, vmid },
    { node, vmid: facts.ids === undefined ? SHOWN_TRIAL : vmid + 1 },
  ];
  const volume = `${facts.uploadStorage}:import/${facts.filename}`;
  const config = vmConfig(
    {
      vmid,
      name: facts.name,
      diskStorage: facts.diskStorage,
      diskFormat: facts.diskFormat,
      source: volume,
      description: templateNotes(image, facts.publication),
      tags: facts.tags,
    },
    image,
    machine,
  );
  const name = `trial-${facts.name}`;
  return [
    ...(facts.lacksContent ? [`PUT /storage/${facts.uploadStorage} content=…,import`] : []),
    `POST /nodes/${node}/storage/${facts.uploadStorage}/upload content=import checksum-algorithm=sha256 checksum=… filename=${facts.filename}`,
    ...[
      REQUESTS.createVm(node, config),
      REQUESTS.cloneVm(template, {
        newid: trial.vmid,
        name,
        description: trialNotes(facts.publication),
        full: true,
        storage: facts.diskStorage,
        pool: facts.pool,
      }),
      REQUESTS.setConfig(trial, guestOf({ sshKeys: ['…'] }, image.details.defaultUser)),
      REQUESTS.start(trial),
      REQUESTS.agentPing(trial),
      REQUESTS.interfaces(trial),
      REQUESTS.stop(trial),
      REQUESTS.deleteVm(trial),
      REQUESTS.toTemplate(template),
      REQUESTS.deleteVolume(node, facts.uploadStorage, volume),
      REQUESTS.setConfig(template, { tags: [...facts.tags, 'current'].join(';') }),
    ].map(describeRequest),
  ];
}

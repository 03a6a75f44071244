import { IngotError } from '../../base/errors.ts';
import type { Drift, ExportedDisk, LineageVm, MachineWish, Place, PlatformContext, PublishedImage, Publisher } from '../platform.ts';
import type { ProxmoxClient } from './client.ts';
import { factsOf, storageKey, type PlaceFacts } from './facts.ts';
import { configOf, destroyOurs, makeMachine, workOn } from './machines.ts';
import { isOf, isTrialOf, templateNotes } from './notes.ts';
import { planPublication } from './plan.ts';
import { REQUESTS } from './requests.ts';
import { settleTasks } from './tasks.ts';
import { disksOf, isTemplate, standsOn, unconverted } from './template-state.ts';
import type { ProxmoxTarget } from './target.ts';
import { tryOut } from './trial.ts';
import { vmConfig } from './vm-config.ts';

/** What publishing to Proxmox VE is; each step is told in {@link Publisher}. */
export function proxmoxPublisher(context: PlatformContext, client: ProxmoxClient, target: ProxmoxTarget): Publisher {
  return {
    plan: (image, size, wish, machine) => planPublication(client, target, image, size, wish, machine),
    upload: async (place, _image, disk, span) => {
      await allowImport(context, client, place);
      const facts = factsOf(place);
      const file = await disk();
      await client.queue.run([storageKey(facts.node, facts.uploadStorage, facts.uploadShared)], () => bring(client, place, file, span));
    },
    importImage: async (place, image, machine, span) => {
      const facts = factsOf(place);
      await client.queue.run([storageKey(facts.node, facts.diskStorage, facts.diskShared)], () => importVm(client, place, image, machine, span));
    },
    validate: async (place, image, options) => {
      const facts = factsOf(place);
      return await client.queue.run([storageKey(facts.node, facts.diskStorage, facts.diskShared)], () => tryOut(context, client, place, image, options));
    },
    seal: (place, span) => seal(client, place, span),
    dropUpload: (place) => dropUpload(client, place),
    setCurrent: async (place, current) => {
      const { node, machine, tags } = factsOf(place);
      if (machine === undefined) return;
      await client.call(REQUESTS.setConfig({ node, vmid: machine.vmid }, { tags: [...tags, ...(current ? ['current'] : [])].join(';') }));
    },
    intact: (place) => intact(client, place),
    drift: (place, current) => drift(client, place, current),
    users: (place) => usersOf(client, factsOf(place)),
    remove: (place) => removeAll(client.undoing(), place),
    describe: (place) => {
      const { node, machine, name } = factsOf(place);
      return machine === undefined ? `nothing yet on ${node}` : `VM ${machine.vmid} (${name}) on ${node}`;
    },
  };
}

/** Lets the storage take uploads of disks, where it does not: its list is read, and written again with the one word more. */
async function allowImport({ consent }: PlatformContext, client: ProxmoxClient, place: Place): Promise<void> {
  const { uploadStorage, lacksContent } = factsOf(place);
  if (!lacksContent) return;
  const { content = '', digest } = await client.call(REQUESTS.storageConfig(uploadStorage));
  const list = content.split(/[,;\s]+/).filter((word) => word !== '');
  if (!list.includes('import')) {
    if (!(await consent(`The storage ${uploadStorage} takes no uploads of disks yet. Give it the content type "import" (it has ${list.join(', ')})?`))) {
      throw new IngotError('host', 'storage-unfit', `The storage ${uploadStorage} takes no uploads of disks`, {
        hint: `\`pvesm set ${uploadStorage} --content ${[...list, 'import'].join(',')}\` on a node, or name another one with --upload-storage.`,
      });
    }
    await client.call(REQUESTS.setStorageContent(uploadStorage, [...list, 'import'].join(','), digest));
  }
  await place.record({ lacksContent: false });
}

async function sizeThere(client: ProxmoxClient, { node, uploadStorage }: PlaceFacts, volume: string): Promise<number | undefined> {
  return (await client.call(REQUESTS.content(node, uploadStorage, 'import'))).find(({ volid }) => volid === volume)?.size;
}

async function bring(client: ProxmoxClient, place: Place, disk: ExportedDisk, span: Parameters<Publisher['upload']>[3]): Promise<void> {
  const facts = factsOf(place);
  const { node, uploadStorage: storage, filename } = facts;
  const volume = `${storage}:import/${filename}`;
  const arrived = async (): Promise<boolean> => (await sizeThere(client, facts, volume)) === disk.size;
  const before = facts.upload;
  if (before !== undefined && before.sha256 === disk.sha256 && before.size === disk.size) {
    if (!before.done) await settleTasks(client, node, (task) => task.type === 'imgcopy');
    if (await arrived()) return await place.record({ upload: { ...before, done: true } });
  }
  const upload = { volume, size: disk.size, sha256: disk.sha256 };
  await place.record({ upload: { ...upload, done: false } });
  await client.upload(disk, { node, storage, content: 'import', filename }, { done: arrived, span });
  await place.record({ upload: { ...upload, done: true } });
}

async function importVm(
  client: ProxmoxClient,
  place: Place,
  image: PublishedImage,
  machine: MachineWish,
  span: Parameters<Publisher['importImage']>[3],
): Promise<void> {
  const facts = factsOf(place);
  const { node, upload, publication } = facts;
  const ours = (notes: string | undefined): boolean => isOf(notes, publication);
  if (upload === undefined) throw new IngotError('internal', 'upload-missing', 'Nothing was uploaded that could be imported');
  if (facts.machine !== undefined) {
    if (facts.machine.done && (await configOf(client, { node, vmid: facts.machine.vmid })) !== undefined) return;
    await destroyOurs(client, { node, vmid: facts.machine.vmid }, ours);
    await place.record({ machine: undefined });
  }
  const description = templateNotes(image, publication);
  const wish = { ...machine, pool: machine.pool ?? facts.pool };
  try {
    const vmid = await makeMachine(client, {
      node,
      ids: facts.ids,
      what: (id) => `creating VM ${id} on ${node}`,
      request: (id) =>
        REQUESTS.createVm(
          node,
          vmConfig(
            { vmid: id, name: facts.name, diskStorage: facts.diskStorage, diskFormat: facts.diskFormat, source: upload.volume, description, tags: facts.tags },
            image,
            wish,
          ),
        ),
      isOurs: ours,
      record: (id) => place.record({ machine: id === undefined ? undefined : { vmid: id, done: false, sealed: false } }),
      span,
    });
    await place.record({ machine: { vmid, done: true, sealed: false } });
  } catch (error) {
    await undoMachine(client, place, ours);
    throw error;
  }
}

/** Removes what is half made. Where the server cannot be reached either, the journal still names it, and the next run removes it. */
async function undoMachine(client: ProxmoxClient, place: Place, ours: (notes: string | undefined) => boolean): Promise<void> {
  const { node, machine } = factsOf(place);
  if (machine === undefined) return;
  try {
    await destroyOurs(client.undoing(), { node, vmid: machine.vmid }, ours);
    await place.record({ machine: undefined });
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    client.events.message('warn', `VM ${machine.vmid} on ${node} could not be removed now (${error.message}); running the command again does`);
  }
}

/**
 * Makes the VM a template, and reads it again. The server marks it before it converts the disks, and passes over disks that it cannot convert: only base
 * volumes prove that linked clones are possible.
 */
async function seal(client: ProxmoxClient, place: Place, span: Parameters<Publisher['seal']>[1]): Promise<void> {
  const facts = factsOf(place);
  const machine = machineOf(facts);
  const id = { node: facts.node, vmid: machine.vmid };
  const read = async () => {
    const config = await configOf(client, id);
    if (config === undefined || !isOf(config['description'], facts.publication)) {
      throw new IngotError('not-found', 'machine-gone', `VM ${id.vmid} on ${id.node} is gone, or is another one now`, {
        hint: 'Remove the publication, then publish the image again.',
      });
    }
    return config;
  };
  const done = async (): Promise<boolean> => {
    const config = await read();
    return isTemplate(config) && (!facts.linked || unconverted(config).length === 0);
  };
  const what = `making a template of VM ${id.vmid}`;
  if (!isTemplate(await read())) await workOn(client, id, what, REQUESTS.toTemplate(id), done, span);
  if (facts.linked) {
    // A conversion that was cut is ended disk by disk: the whole is refused, since the VM is a template already.
    for (const { device } of unconverted(await read())) await workOn(client, id, `${what}: ${device}`, REQUESTS.toTemplate(id, device), done, span);
  }
  const config = await read();
  const left = facts.linked ? unconverted(config) : [];
  if (!isTemplate(config) || left.length > 0 || !disksOf(config).some(({ device }) => device === 'scsi0')) {
    throw new IngotError('verification', 'template-incomplete', `VM ${id.vmid} on ${id.node} is not the template that it should be`, {
      detail: left.map(({ device, volume }) => `${device}: ${volume} is no base volume`).join('\n'),
      hint: 'The storage cannot make linked clones of it. Publish to another one with --storage.',
    });
  }
  await place.record({ machine: { ...machine, sealed: true } });
}

async function dropUpload(client: ProxmoxClient, place: Place): Promise<void> {
  const facts = factsOf(place);
  const { node, uploadStorage, upload } = facts;
  if (upload === undefined) return;
  const gone = async (): Promise<boolean> => (await sizeThere(client, facts, upload.volume)) === undefined;
  if (!(await gone())) {
    await client.queue.run([storageKey(node, uploadStorage, facts.uploadShared)], () =>
      client.work(REQUESTS.deleteVolume(node, uploadStorage, upload.volume), {
        what: `removing ${upload.volume}`,
        node,
        tasks: (task) => task.type === 'imgdel',
        done: gone,
      }),
    );
  }
  await place.record({ upload: undefined });
}

async function intact(client: ProxmoxClient, place: Place): Promise<boolean> {
  const facts = factsOf(place);
  if (facts.machine === undefined) return false;
  const config = await configOf(client, { node: facts.node, vmid: facts.machine.vmid });
  return config !== undefined && isTemplate(config) && isOf(config['description'], facts.publication) && (!facts.linked || unconverted(config).length === 0);
}

async function drift(client: ProxmoxClient, place: Place, current: boolean): Promise<Drift[]> {
  const { node, machine, tags } = factsOf(place);
  const config = machine === undefined ? undefined : await configOf(client, { node, vmid: machine.vmid });
  if (config === undefined) return [{ what: 'template', published: 'there', found: 'gone' }];
  const published = [...tags, ...(current ? ['current'] : [])].toSorted().join(' ');
  const found = (config['tags'] ?? '')
    .split(/[;,\s]+/)
    .filter((tag) => tag !== '')
    .toSorted()
    .join(' ');
  return [
    ...((await intact(client, place)) ? [] : [{ what: 'template', published: 'a template with its notes', found: 'changed' }]),
    ...(found === published ? [] : [{ what: 'tags', published, found }]),
  ];
}

/** Asks every VM of the cluster: the server's own guard does not see linked clones on LVM-thin. Those are told by the notes, which a clone inherits. */
async function usersOf(client: ProxmoxClient, facts: PlaceFacts): Promise<LineageVm[]> {
  const { machine, publication, diskStorage } = facts;
  if (machine === undefined) return [];
  const vms = (await client.call(REQUESTS.resources())).filter(
    ({ type, vmid, template }) => type === 'qemu' && vmid !== undefined && vmid !== machine.vmid && !template,
  );
  const found = await Promise.all(
    vms.map(async ({ vmid = 0, node = '', name }): Promise<LineageVm[]> => {
      const config = await configOf(client, { node, vmid });
      if (config === undefined) return [];
      const one = { id: String(vmid), name: config['name'] ?? name ?? '', place: node };
      if (standsOn(config, machine.vmid)) return [{ ...one, link: 'linked' }];
      if (!isOf(config['description'], publication)) return [];
      // Where disks name what they stand on, one that names nothing is whole.
      const there = disksOf(config).some(({ volume }) => volume.startsWith(`${diskStorage}:`));
      return [{ ...one, link: there && facts.linked && !facts.diskFormat && (await isThin(client, node, diskStorage)) ? 'perhaps' : 'full' }];
    }),
  );
  return found.flat();
}

async function isThin(client: ProxmoxClient, node: string, storage: string): Promise<boolean> {
  return (await client.call(REQUESTS.storages(node))).some((one) => one.storage === storage && one.type === 'lvmthin');
}

async function removeAll(client: ProxmoxClient, place: Place): Promise<void> {
  const facts = factsOf(place);
  const { node, publication } = facts;
  if (facts.trial !== undefined) {
    await destroyOurs(
      client,
      { node, vmid: facts.trial.vmid },
      (notes) => isTrialOf(notes, publication),
      facts.machine === undefined ? [] : [facts.machine.vmid],
    );
    await place.record({ trial: undefined });
  }
  if (facts.machine !== undefined) {
    await destroyOurs(client, { node, vmid: facts.machine.vmid }, (notes) => isOf(notes, publication));
    await place.record({ machine: undefined });
  }
  if (facts.upload !== undefined) await settleTasks(client, node, (task) => task.type === 'imgcopy');
  await dropUpload(client, place);
}

function machineOf({ machine }: PlaceFacts): NonNullable<PlaceFacts['machine']> {
  if (machine === undefined) throw new IngotError('internal', 'machine-missing', 'Nothing was imported that could become a template');
  return machine;
}

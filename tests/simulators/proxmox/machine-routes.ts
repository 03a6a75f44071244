import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { SimCluster } from './cluster.ts';
import type { SimVm, SimVolume } from './model.ts';

/** An answer: data, or a failure with its status and reason phrase. */
export type SimAnswer = { readonly data: unknown } | { readonly status: number; readonly reason: string; readonly errors?: Readonly<Record<string, string>> };
export type Values = Readonly<Record<string, string>>;

export const fail = (reason: string, status = 500): SimAnswer => ({ status, reason });
const DISK = /^(?:(?:scsi|virtio|sata|ide)\d+|efidisk0|tpmstate0|rootfs)$/;
const BLOCK = new Set(['lvm', 'lvmthin', 'zfspool', 'rbd']);
/** What a template's volumes cannot be cloned from without a copy. */
const NOT_HARDWARE = new Set(['node', 'vmid', 'pool', 'import-working-storage']);

function volumeName(cluster: SimCluster, storage: string, prefix: string, vmid: number, number: number, format: string | undefined): string {
  const type = cluster.storages.get(storage)?.type ?? 'dir';
  const name = `${prefix}-${vmid}-disk-${number}`;
  return BLOCK.has(type) ? `${storage}:${name}` : `${storage}:${vmid}/${name}.${format ?? 'raw'}`;
}

/** Bytes of the disk that an uploaded file holds: what a qcow2 says of itself, else as many as it has. */
function diskSize(volume: SimVolume | undefined): number | undefined {
  if (volume?.file === undefined) return volume?.size;
  const head = Buffer.alloc(32);
  const file = openSync(volume.file, 'r');
  readSync(file, head, 0, head.length, 0);
  closeSync(file);
  return head.subarray(0, 4).equals(Buffer.from('QFI\xfb', 'latin1')) ? Number(head.readBigUInt64BE(24)) : volume.size;
}

/** POST /nodes/{node}/qemu */
export function createVm(cluster: SimCluster, values: Values): SimAnswer {
  const node = values['node'] ?? '';
  const vmid = Number(values['vmid']);
  const taken = cluster.vms.get(vmid);
  if (taken !== undefined) return fail(`unable to create VM ${vmid} - VM ${vmid} already exists on node '${taken.node}'`);
  for (const [device, value] of Object.entries(values)) {
    if (!DISK.test(device) || !value.includes('import-from=')) continue;
    const source = /import-from=([^,]+)/.exec(value)?.[1] ?? '';
    if (!/^[^:]+:0(?:,|$)/.test(value)) return fail(`Parameter verification failed: ${device}: use of 'import-from' requires a size of 0`, 400);
    const found = cluster.volume(node, source);
    if (found === undefined) return fail(`volume '${source}' does not exist`);
    if (found.kind !== 'import' && found.kind !== 'images') return fail(`cannot import from '${source}' - content type needs to be 'images' or 'import'`);
  }
  // Until it is done, there is nothing but the lock.
  const vm: SimVm = { vmid, node, config: { lock: 'create' }, running: false, snapshots: [] };
  cluster.vms.set(vmid, vm);
  const made: string[] = [];
  const undo = (): void => {
    for (const volid of made) cluster.dropVolume(node, volid);
    cluster.vms.delete(vmid);
  };
  const upid = cluster.task(
    node,
    'qmcreate',
    String(vmid),
    () => {
      const config: Record<string, string> = {};
      let number = 0;
      for (const [name, value] of Object.entries(values)) {
        if (NOT_HARDWARE.has(name)) continue;
        config[name] = /^net\d+$/.test(name) ? withMac(value, vmid) : value;
        if (!DISK.test(name)) continue;
        const [storage = '', what = ''] = (value.split(',')[0] ?? '').split(':');
        const place = cluster.storageOn(node, storage);
        if (place === undefined) return `storage '${storage}' does not exist`;
        if (!place.content.includes('images')) return `storage '${storage}' does not support content-type 'images'`;
        if (what === 'cloudinit') {
          const volid = `${storage}:${BLOCK.has(place.type) ? '' : `${vmid}/`}vm-${vmid}-cloudinit${BLOCK.has(place.type) ? '' : '.qcow2'}`;
          cluster.addVolume({ volid, storage, node, kind: 'images', size: 4 * 2 ** 20, file: undefined });
          made.push(volid);
          config[name] = `${volid},media=cdrom`;
          continue;
        }
        const format = /(?:^|,)format=(\w+)/.exec(value)?.[1];
        if (format === 'qcow2' && BLOCK.has(place.type)) return `unsupported format 'qcow2' for storage type ${place.type}`;
        const source = /import-from=([^,]+)/.exec(value)?.[1];
        const from = source === undefined ? undefined : cluster.volume(node, source);
        const size = diskSize(from) ?? 2 ** 20;
        if (place.used + size > place.total) return 'qemu-img: error while writing: No space left on device';
        const volid = volumeName(cluster, storage, 'vm', vmid, number, format);
        number += 1;
        cluster.addVolume({ volid, storage, node, kind: 'images', size, file: from?.file });
        made.push(volid);
        const rest = value
          .split(',')
          .slice(1)
          .filter((word) => !/^(?:import-from|format)=/.test(word));
        config[name] = [volid, ...rest, `size=${size}`].join(',');
      }
      vm.config = { ...config, smbios1: `uuid=${randomUUID()}`, vmgenid: cluster.generation() };
      return undefined;
    },
    undo,
  );
  return { data: upid };
}

/** The server gives each card of a VM an address: `virtio,bridge=vmbr0` becomes `virtio=BC:24:11:…,bridge=vmbr0`. */
function withMac(net: string, vmid: number): string {
  return net.replace(/^(\w+)(?:=[0-9A-F:]+)?/, `$1=BC:24:11:00:01:${(vmid % 256).toString(16).padStart(2, '0').toUpperCase()}`);
}

/** Each card has an address of its own. */
export function cardOf(net: string, vmid: number): string {
  return `${net.replace(/,hwaddr=[^,]+/, '')},hwaddr=BC:24:11:00:00:${(vmid % 256).toString(16).padStart(2, '0').toUpperCase()}`;
}

/** POST /nodes/{node}/lxc */
export function createContainer(cluster: SimCluster, values: Values): SimAnswer {
  const { node = '', ostemplate = '', rootfs = '', vmid: id = '' } = values;
  const vmid = Number(id);
  const taken = cluster.vms.get(vmid);
  if (taken !== undefined) return fail(`unable to create CT ${vmid} - CT ${vmid} already exists on node '${taken.node}'`);
  const archive = cluster.volume(node, ostemplate);
  if (archive === undefined) return fail(`volume '${ostemplate}' does not exist`);
  const [storage = '', size = '4'] = rootfs.split(':');
  if (cluster.storageOn(node, storage)?.content.includes('rootdir') !== true) return fail(`storage '${storage}' does not support container directories`);
  const ct: SimVm = { vmid, kind: 'lxc', node, config: { lock: 'create' }, running: false, snapshots: [] };
  cluster.vms.set(vmid, ct);
  const volid = volumeName(cluster, storage, 'vm', vmid, 0, undefined);
  const undo = (): void => {
    cluster.dropVolume(node, volid);
    cluster.vms.delete(vmid);
  };
  const run = (): undefined => {
    cluster.addVolume({ volid, storage, node, kind: 'images', size: Number(size) * 2 ** 30, file: archive.file });
    const kept = Object.entries(values).filter(([name]) => !['node', 'vmid', 'ostemplate', 'pool', 'ssh-public-keys'].includes(name));
    ct.config = { ...Object.fromEntries(kept), rootfs: `${volid},size=${size}G`, net0: cardOf(values['net0'] ?? '', vmid) };
    return undefined;
  };
  return { data: cluster.task(node, 'vzcreate', id, run, undo) };
}

/** POST …/clone */
export function cloneVm(cluster: SimCluster, source: SimVm, values: Values): SimAnswer {
  const newid = Number(values['newid']);
  const full = values['full'] === '1' || source.config['template'] !== '1';
  const node = values['target'] ?? source.node;
  if (!full && (values['storage'] !== undefined || values['format'] !== undefined)) return fail("parameter 'storage' not allowed for linked clones", 400);
  if (source.config['lock'] !== undefined) return fail(`VM is locked (${source.config['lock']})`);
  const taken = cluster.vms.get(newid);
  if (taken !== undefined) return fail(`unable to create VM ${newid}: VM ${newid} already exists on node '${taken.node}'`);
  const clone: SimVm = {
    vmid: newid,
    node,
    config: { lock: 'clone', ...(values['description'] === undefined ? {} : { description: values['description'] }) },
    running: false,
    snapshots: [],
    ...(source.kind === undefined ? {} : { kind: source.kind }),
  };
  cluster.vms.set(newid, clone);
  const made: string[] = [];
  const undo = (): void => {
    for (const volid of made) cluster.dropVolume(node, volid);
    cluster.vms.delete(newid);
  };
  const run = (): string | undefined => {
    const config: Record<string, string> = {};
    let number = 0;
    for (const [name, value] of Object.entries(source.config)) {
      if (['template', 'lock', 'parent'].includes(name)) continue;
      config[name] = /^net\d+$/.test(name) && source.kind !== 'lxc' ? withMac(value, newid) : value;
      if (!DISK.test(name)) continue;
      const volid = value.split(',')[0] ?? '';
      const old = cluster.volume(source.node, volid);
      if (old === undefined) return `volume '${volid}' does not exist`;
      const rest = value.split(',').slice(1);
      const storage = values['storage'] ?? old.storage;
      if (/cloudinit/.test(volid)) {
        const fresh = volid.replaceAll(String(source.vmid), String(newid)).replace(/^[^:]+/, storage);
        cluster.addVolume({ ...old, volid: fresh, storage, node });
        made.push(fresh);
        config[name] = [fresh, ...rest].join(',');
        continue;
      }
      const own = volumeName(cluster, storage, 'vm', newid, number, /\.(\w+)$/.exec(volid)?.[1]);
      number += 1;
      const linked = !full && /base-/.test(volid);
      // Only LVM-thin does not say what a clone stands on.
      const shown = linked && cluster.storages.get(storage)?.type !== 'lvmthin' ? `${volid}/${own.slice(own.indexOf(':') + 1)}` : own;
      cluster.addVolume({ ...old, volid: shown, storage, node, ...(linked ? { base: volid } : {}) });
      made.push(shown);
      config[name] = [shown, ...rest].join(',');
    }
    clone.config = {
      ...config,
      smbios1: `uuid=${randomUUID()}`,
      vmgenid: cluster.generation(),
      ...(values['name'] === undefined ? {} : { name: values['name'] }),
      ...(values['hostname'] === undefined ? {} : { hostname: values['hostname'] }),
      ...(source.kind === 'lxc' ? { net0: cardOf(config['net0'] ?? '', newid) } : {}),
      ...(values['description'] === undefined ? {} : { description: values['description'] }),
    };
    return undefined;
  };
  return { data: cluster.task(source.node, 'qmclone', String(source.vmid), run, undo) };
}

/** POST …/template: the flag first, then the disks, passing over those that cannot be converted. */
export function toTemplate(cluster: SimCluster, vm: SimVm, values: Values): SimAnswer {
  const only = values['disk'];
  if (vm.config['template'] === '1' && only === undefined) return fail("you can't convert a template to a template");
  if (vm.running) return fail("you can't convert a running VM to a template");
  if (vm.snapshots.length > 0) return fail('unable to create template, because VM contains snapshots');
  vm.config['template'] = '1';
  const run = (): string | undefined => {
    for (const [device, value] of Object.entries(vm.config)) {
      if (!DISK.test(device) || value.includes('media=cdrom') || (only !== undefined && device !== only)) continue;
      const volid = value.split(',')[0] ?? '';
      const volume = cluster.volume(vm.node, volid);
      if (volume === undefined || /base-/.test(volid) || cluster.unconvertible.has(cluster.storages.get(volume.storage)?.type ?? '')) continue;
      const base = volid.replace(/vm-(\d+)-disk/, 'base-$1-disk');
      cluster.dropVolume(vm.node, volid);
      cluster.addVolume({ ...volume, volid: base });
      vm.config[device] = [base, ...value.split(',').slice(1)].join(',');
    }
    return undefined;
  };
  return { data: cluster.task(vm.node, 'qmtemplate', String(vm.vmid), run) };
}

/** DELETE /nodes/{node}/qemu/{vmid} */
export function deleteVm(cluster: SimCluster, vm: SimVm): SimAnswer {
  if (vm.running) return fail(`VM ${vm.vmid} is running - destroy failed`);
  if (vm.config['lock'] !== undefined) return fail(`VM is locked (${vm.config['lock']})`);
  const volids = Object.entries(vm.config).flatMap(([device, value]) => (DISK.test(device) ? [value.split(',')[0] ?? ''] : []));
  const run = (): string | undefined => {
    const used = [...cluster.volumes.values()].find(
      ({ base, storage }) => base !== undefined && volids.includes(base) && cluster.storages.get(storage)?.type !== 'lvmthin',
    );
    if (used !== undefined) return `base volume '${used.base}' is still in use by linked cloned volumes`;
    for (const volid of volids) cluster.dropVolume(vm.node, volid);
    cluster.vms.delete(vm.vmid);
    return undefined;
  };
  return { data: cluster.task(vm.node, 'qmdestroy', String(vm.vmid), run) };
}

export function startVm(cluster: SimCluster, vm: SimVm): SimAnswer {
  if (vm.kind === 'lxc') {
    return {
      data: cluster.task(vm.node, 'vzstart', String(vm.vmid), () => {
        vm.running = true;
        return undefined;
      }),
    };
  }
  if (vm.config['template'] === '1') return fail("you can't start a vm if it's a template");
  if (vm.running) return fail(`VM ${vm.vmid} already running`);
  const run = async (): Promise<string | undefined> => {
    vm.guest = await cluster.boot(cluster.bootRequest(vm));
    vm.running = true;
    return undefined;
  };
  return { data: cluster.task(vm.node, 'qmstart', String(vm.vmid), run) };
}

export function stopVm(cluster: SimCluster, vm: SimVm): SimAnswer {
  const run = async (): Promise<string | undefined> => {
    await vm.guest?.stop();
    delete vm.guest;
    vm.running = false;
    return undefined;
  };
  return { data: cluster.task(vm.node, 'qmstop', String(vm.vmid), run) };
}

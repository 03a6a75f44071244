import { readFile } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { SimCluster } from '../../../tests/simulators/proxmox/cluster.ts';
import type { SimVm } from '../../../tests/simulators/proxmox/model.ts';
import { publishLab, type PublishLab } from '../../../tests/support/publish-lab.ts';
import type { Publication } from '../../publish/journal.ts';
import type { ProxmoxPlatform } from './platform.ts';
import type { NewRemoteVm } from '../remote-vms.ts';

// Each begins with a publication, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const GIB = 2 ** 30;

function wish({ id, image, places }: Publication, name: string, change: Partial<NewRemoteVm> = {}): NewRemoteVm {
  const template = { publication: id, reference: image.reference, places };
  return { name, template, machine: { sshKeys: ['ssh-ed25519 AAAA ingot'] }, full: false, start: true, ...change };
}

async function published(cluster = new SimCluster(), allNodes = false): Promise<{ lab: PublishLab; publication: Publication }> {
  const lab = await publishLab({ cluster });
  const { publication } = await lab.publish(await lab.image(), { places: { nodes: [], allNodes } });
  return { lab, publication };
}

const named = (lab: PublishLab, name: string): SimVm | undefined => [...lab.simulator.cluster.vms.values()].find(({ config }) => config['name'] === name);

test('a VM is made from the template, as it is asked for, and used: power, size, snapshots, clone, login, deletion', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const { vms } = platform;
  const web = await vms.create(wish(publication, 'web-1', { machine: { cpus: 4, memory: 4096, sshKeys: ['ssh-ed25519 AAAA ingot'] }, disk: 20 * GIB }));
  expect(web).toMatchObject({ name: 'web-1', on: 'proxmox:home', place: 'pve', state: 'running', cpus: 4, memory: 4 * GIB, ours: true });
  const config: Record<string, string> = named(lab, 'web-1')?.config ?? {};
  expect(config).toMatchObject({ cores: '4', memory: '4096', ciuser: 'debian', ipconfig0: 'ip=dhcp', sshkeys: expect.stringContaining('ssh-ed25519') });
  // A linked clone; the thin pool does not say so.
  expect(config['scsi0']).toContain(`size=${20 * GIB}`);
  expect(await vms.details(web)).toMatchObject({ image: publication.id, user: 'debian', snapshots: 0, console: expect.stringContaining('vmid=') });
  expect(await vms.access(web)).toMatchObject({ address: '192.0.2.10', port: 22, user: 'debian' });
  expect((await vms.list({ all: false })).map(({ name }) => name)).toEqual(['web-1']);
  await expect(vms.create(wish(publication, 'web-1'))).rejects.toMatchObject({ code: 'vm-exists' });

  await expect(vms.resize(web, { cpus: 2 })).rejects.toMatchObject({ code: 'vm-running' });
  await expect(vms.delete(web)).rejects.toMatchObject({ code: 'vm-running' });
  await vms.snapshot(web, { name: 'before', description: 'an update', memory: false });
  await expect(vms.snapshot(web, { name: 'before', memory: false })).rejects.toMatchObject({ code: 'snapshot-exists' });
  for (const name of ['s', 'v1.2', '2026-11-29', 'current', 'x'.repeat(41)])
    await expect(vms.snapshot(web, { name, memory: false })).rejects.toMatchObject({ code: 'snapshot-name-invalid' });
  expect(await vms.snapshots(web)).toMatchObject([{ name: 'before', description: 'an update' }]);
  expect(await vms.stop(web, { timeout: 30, force: false })).toBe('shut-down');
  expect(await vms.stop(web, { timeout: 30, force: false })).toBe('not-running');
  await vms.resize(web, { cpus: 2, memory: 2 * GIB, disk: 30 * GIB });
  await expect(vms.resize(web, { disk: GIB })).rejects.toMatchObject({ code: 'disk-shrinks' });
  expect(named(lab, 'web-1')?.config).toMatchObject({ cores: '2', memory: '2048' });
  await vms.restore(web, 'before');
  expect(named(lab, 'web-1')?.config).toMatchObject({ cores: '4' });
  await expect(vms.restore(web, 'after')).rejects.toMatchObject({ code: 'snapshot-unknown', hint: 'It has before.' });
  await vms.deleteSnapshot(web, 'before');

  const copy = await vms.clone(web, { name: 'web-2', start: false });
  expect(await vms.details(copy)).toMatchObject({ name: 'web-2', state: 'stopped', ours: true, image: publication.id });
  for (const vm of [web, copy]) await vms.delete(vm);
  await expect(vms.find('web-1')).rejects.toMatchObject({ code: 'vm-unknown' });
  // The template is all that is left.
  expect(lab.simulator.cluster.summary().vms).toHaveLength(1);
  expect(lab.simulator.wrong).toEqual([]);
});

test('what ingot did not make is used, and not deleted; a name that two have needs the number', async () => {
  const { lab: made } = await published();
  await using lab = made;
  for (const vmid of [500, 501]) {
    lab.simulator.cluster.vms.set(vmid, { vmid, node: 'pve', config: { name: 'theirs', scsi0: 'local-lvm:vm-500-disk-0' }, running: false, snapshots: [] });
  }
  await using platform = await lab.open();
  const { vms } = platform;
  await expect(vms.find('theirs')).rejects.toMatchObject({ code: 'vm-ambiguous', hint: expect.stringContaining('500 (on pve), 501') });
  const found = await vms.find('500');
  await vms.start(found);
  await vms.stop(found, { timeout: 1, force: true });
  await expect(vms.delete(found)).rejects.toMatchObject({ code: 'vm-not-ours' });
  expect((await vms.list({ all: false })).map(({ id }) => id)).toEqual([]);
  expect((await vms.list({ all: true })).map(({ id }) => id)).toEqual(['500', '501']);
});

test('a guest that does not listen is ended by force', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const vm = await platform.vms.create(wish(publication, 'deaf'));
  lab.simulator.cluster.deaf.add(Number(vm.id));
  expect(await platform.vms.stop(vm, { timeout: 1, force: false })).toBe('forced');
});

test('user-data of one’s own travels on an ISO image in the place of the cloud-init drive, and goes with the VM', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const before = lab.simulator.cluster.summary();
  const vm = await platform.vms.create(wish(publication, 'web', { seed: { userData: '#cloud-config\npackages: [nginx]\n' } }));
  const config: Record<string, string> = named(lab, 'web')?.config ?? {};
  expect(Object.values(config)).toContainEqual(`local:iso/ingot-seed-${vm.id}.iso,media=cdrom`);
  expect(Object.values(config).filter((value) => value.includes('cloudinit'))).toEqual([]);
  const file = [...lab.simulator.cluster.volumes.values()].find(({ kind }) => kind === 'iso')?.file ?? '';
  const bytes = Buffer.from(await readFile(file)).toString('latin1');
  expect(bytes).toContain('packages: [nginx]');
  expect(bytes).toContain('ssh-ed25519 AAAA ingot');
  await platform.vms.stop(vm, { timeout: 0, force: true });
  await platform.vms.delete(vm);
  expect(lab.simulator.cluster.summary()).toEqual(before);
});

describe('with several nodes', () => {
  const cluster = (): SimCluster => {
    const all = new SimCluster(['pve1', 'pve2']);
    all.addStorage({ name: 'fast', type: 'lvmthin', content: ['images'], nodes: ['pve1'] });
    all.addStorage({ name: 'slow', type: 'lvmthin', content: ['images'], nodes: ['pve2'] });
    return all;
  };

  test('VMs go where the template is and the fewest are, or where they are asked to', async () => {
    const { lab: made, publication } = await published(cluster(), true);
    await using lab = made;
    await using platform = await lab.open();
    const { vms } = platform;
    const places: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) places.push((await vms.create(wish(publication, name))).place);
    expect(places.toSorted()).toEqual(['pve1', 'pve1', 'pve2', 'pve2']);
    expect((await vms.create(wish(publication, 'e', { place: 'pve2' }))).place).toBe('pve2');
    const moved = await vms.find('e');
    await vms.migrate(moved, 'pve1');
    expect((await vms.find('e')).place).toBe('pve1');
    await expect(vms.create(wish(publication, 'f', { place: 'pve9' }))).rejects.toMatchObject({ code: 'place-unfit' });
  });

  test('twenty at once are as parallel as the locks allow: one clone on a storage at a time, storages beside each other', async () => {
    const { lab: made, publication } = await published(cluster(), true);
    await using lab = made;
    await using platform = await lab.open();
    let [most, seen] = [0, 0];
    lab.simulator.before = () => {
      const running = [...lab.simulator.cluster.tasks.values()].filter(({ type, exit }) => type === 'qmclone' && exit === undefined);
      for (const node of ['pve1', 'pve2']) most = Math.max(most, running.filter((task) => task.node === node).length);
      seen = Math.max(seen, running.length);
    };
    const names = Array.from({ length: 20 }, (_, index) => `node-${index + 1}`);
    const all = await Promise.all(names.map((name, index) => platform.vms.create(wish(publication, name, { place: `pve${(index % 2) + 1}` }))));
    expect(new Set(all.map(({ id }) => id)).size).toBe(20);
    expect({ most, seen }).toEqual({ most: 1, seen: 2 });
  });
});

describe('cut', () => {
  /** Makes a VM with the connection cut at one request; returns whether it came so far. */
  async function cutAt(lab: PublishLab, platform: ProxmoxPlatform, publication: Publication, at: number, how: 'cut' | 'lost'): Promise<boolean> {
    let count = 0;
    lab.simulator.fault = () => ((count += 1) === at ? how : undefined);
    await platform.vms.create(wish(publication, 'web-1', { disk: 5 * GIB })).catch(() => undefined);
    lab.simulator.fault = () => undefined;
    return count >= at;
  }

  test.each(['cut', 'lost'] as const)('(%s) at every request: there is one VM or none, and making it again makes it', async (how) => {
    const { lab: made, publication } = await published();
    await using lab = made;
    await using platform = await lab.open();
    const template = lab.simulator.cluster.summary().vms;
    for (let at = 1; ; at++) {
      const hit = await cutAt(lab, platform, publication, at, how);
      if (!hit) break;
      await lab.simulator.cluster.settle();
      expect(lab.simulator.cluster.summary().vms.length - template.length, `request ${at}`).toBeLessThanOrEqual(1);
      const there = (await platform.vms.list({ all: true })).find(({ name }) => name === 'web-1');
      const whole = there === undefined ? undefined : await platform.vms.details(there);
      if (whole === undefined || whole.state === 'unfinished') await platform.vms.create(wish(publication, 'web-1', { disk: 5 * GIB }));
      const vm = await platform.vms.find('web-1');
      expect(await platform.vms.details(vm), `request ${at}`).toMatchObject({ ours: true });
      await platform.vms.stop(vm, { timeout: 1, force: true });
      await platform.vms.delete(vm);
      expect(lab.simulator.cluster.summary().vms, `request ${at}`).toEqual(template);
    }
  });
});

import { describe, expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab, type CloudLabOptions } from '../../../tests/support/cloud-lab.ts';
import { SimCloud } from '../../../tests/simulators/cloudstack/cloud.ts';
import type { SimVm } from '../../../tests/simulators/cloudstack/model.ts';
import type { Publication } from '../../publish/journal.ts';
import type { Platform } from '../platform.ts';
import type { NewRemoteVm } from '../remote-vms.ts';
import { isSameNetwork } from './vm-access.ts';
import { sizeFor } from './vm-size.ts';

// Each begins with a publication; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const GIB = 2 ** 30;
const KEY = `ssh-ed25519 ${Buffer.from('my key').toString('base64')} ingot`;

function wish({ id, image, places }: Publication, name: string, change: Partial<NewRemoteVm> = {}): NewRemoteVm {
  const template = { publication: id, reference: image.reference, places };
  return { name, template, machine: { sshKeys: [KEY] }, full: false, start: true, ...change };
}

async function published(options: CloudLabOptions = {}): Promise<{ lab: CloudLab; publication: Publication }> {
  const lab = await cloudLab(options);
  const { publication } = await lab.publish(await lab.image(), { ssh: false });
  return { lab, publication };
}

const named = (lab: CloudLab, name: string): SimVm | undefined => [...lab.simulator.cloud.vms.values()].find((vm) => vm.name === name);
const tagsOf = (vm: SimVm | undefined): Record<string, string> => Object.fromEntries(vm?.tags ?? []);

/** A cloud whose instances are behind address translation. */
function isolated(): SimCloud {
  const cloud = new SimCloud();
  cloud.networks.clear();
  cloud.addNetwork('inside', cloud.zoneNamed('z1'), 'Isolated');
  return cloud;
}

test('a VM is made from the template, as it is asked for, and used: power, size, snapshots, console, login, deletion', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const { vms } = platform;
  const web = await vms.create(wish(publication, 'web-1', { machine: { cpus: 4, memory: 4096, sshKeys: [KEY] }, disk: 20 * GIB }));
  // The offering has more than was asked for, and both are told.
  expect(web).toMatchObject({ name: 'web-1', on: 'cloudstack:prod', place: 'z1', state: 'running', cpus: 8, memory: 16 * GIB, disk: 20 * GIB, ours: true });
  expect(web.asked).toEqual({ cpus: 4, memory: 4 * GIB });
  expect(named(lab, 'web-1')).toMatchObject({ displayname: 'web-1', keypairs: [expect.stringMatching(/^ingot-[0-9a-f]{12}$/)] });
  expect(tagsOf(named(lab, 'web-1'))).toMatchObject({ 'ingot-vm': 'web-1', 'ingot-publication': publication.id, 'ingot-user': 'debian' });
  expect(await vms.details(web)).toMatchObject({ image: publication.id, user: 'debian', snapshots: 0, address: named(lab, 'web-1')?.address });
  expect(await vms.access(web)).toMatchObject({ address: named(lab, 'web-1')?.address, port: 22, user: 'debian' });
  expect(await vms.console(web)).toMatch(/^https:.*token=/);
  expect((await vms.list({ all: false })).map(({ name }) => name)).toEqual(['web-1']);
  await expect(vms.create(wish(publication, 'web-1'))).rejects.toMatchObject({ code: 'vm-exists' });
  // Its name is a part of the other's.
  const other = await vms.create(wish(publication, 'web', { start: false }));
  expect(other).toMatchObject({ state: 'stopped', cpus: 1, memory: GIB });
  await expect(vms.console(other)).rejects.toMatchObject({ code: 'console-missing' });
  await vms.delete(other);

  await expect(vms.resize(web, { cpus: 2 })).rejects.toMatchObject({ code: 'vm-running' });
  await expect(vms.delete(web)).rejects.toMatchObject({ code: 'vm-running' });
  await expect(vms.clone(web, { name: 'web-2', start: true })).rejects.toMatchObject({ code: 'vm-clone-unsupported' });
  await vms.snapshot(web, { name: 'before', description: 'an update', memory: false });
  await expect(vms.snapshot(web, { name: 'before', memory: false })).rejects.toMatchObject({ code: 'snapshot-exists' });
  expect(await vms.snapshots(web)).toMatchObject([{ name: 'before', description: 'an update', created: expect.any(String) }]);
  expect(await vms.stop(web, { timeout: 30, force: false })).toBe('shut-down');
  expect(await vms.stop(web, { timeout: 30, force: false })).toBe('not-running');
  await vms.resize(web, { cpus: 1, memory: GIB, disk: 30 * GIB });
  await expect(vms.resize(web, { disk: GIB })).rejects.toMatchObject({ code: 'disk-shrinks' });
  const resized = await vms.find('web-1');
  expect(resized).toMatchObject({ cpus: 1, memory: GIB, disk: 30 * GIB });
  expect(resized.asked).toBeUndefined();
  await vms.restore(web, 'before');
  expect(await vms.find('web-1')).toMatchObject({ cpus: 8 });
  await expect(vms.restore(web, 'after')).rejects.toMatchObject({ code: 'snapshot-unknown', hint: 'It has before.' });
  await vms.deleteSnapshot(web, 'before');
  await vms.start(web);
  expect(await vms.find('web-1')).toMatchObject({ state: 'running' });
  expect(await vms.stop(web, { timeout: 0, force: true })).toBe('forced');
  await vms.delete(web);
  await expect(vms.find('web-1')).rejects.toMatchObject({ code: 'vm-unknown' });
  expect(lab.simulator.cloud.summary()).toMatchObject({ vms: [], keyPairs: [], rules: [] });
  expect(lab.simulator.wrong).toEqual([]);
});

test('behind address translation, a port of the network is forwarded for this host alone, used again, and gone with the VM', async () => {
  const { lab: made, publication } = await published({ cloud: isolated(), defaults: { sshFrom: '203.0.113.0/28' } });
  await using lab = made;
  await using platform = await lab.open();
  const vm = await platform.vms.create(wish(publication, 'web'));
  const access = await platform.vms.access(vm);
  expect(access).toMatchObject({ address: '198.51.100.1', user: 'debian' });
  expect(access.port).toBeGreaterThanOrEqual(20_000);
  const before = lab.simulator.log.length;
  expect(await platform.vms.access(vm)).toEqual(access);
  expect(lab.simulator.log.slice(before).every(({ method }) => method === 'GET')).toBe(true);
  expect(lab.simulator.cloud.summary().rules).toEqual([`203.0.113.0/28 -> ${access.port}`, `${access.port} -> web`].toSorted());
  expect([...lab.simulator.cloud.forwards.values()].map(({ tags }) => tags.get('ingot-vm'))).toEqual(['web']);
  await platform.vms.stop(vm, { timeout: 0, force: true });
  await platform.vms.delete(vm);
  expect(lab.simulator.cloud.summary()).toMatchObject({ vms: [], rules: [] });
  expect(lab.simulator.wrong).toEqual([]);
});

test('what ingot did not make is used, and not deleted; a name that two have needs the identifier', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const { vms } = platform;
  const { id } = await vms.create(wish(publication, 'theirs'));
  const theirs = lab.simulator.cloud.vm(id);
  theirs.tags.clear();
  const found = await vms.find(id);
  expect(found.ours).toBe(false);
  await vms.stop(found, { timeout: 1, force: true });
  await expect(vms.delete(found)).rejects.toMatchObject({ code: 'vm-not-ours' });
  expect(await vms.list({ all: false })).toEqual([]);
  const twin = { ...theirs, id: '11111111-1111-4111-8111-111111111111' };
  lab.simulator.cloud.vms.set(twin.id, twin);
  await expect(vms.find('theirs')).rejects.toMatchObject({ code: 'vm-ambiguous', hint: expect.stringContaining(twin.id) });
});

test('a guest that does not listen is ended by force; an instance moves between hosts for administrators alone', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const { vms } = platform;
  const vm = await vms.create(wish(publication, 'deaf'));
  await vms.migrate(vm, 'h2');
  expect(named(lab, 'deaf')?.host).toBe(lab.simulator.cloud.hosts.get('h2'));
  await expect(vms.migrate(vm, 'h9')).rejects.toMatchObject({ code: 'vm-migrate-unsupported', message: expect.stringContaining('no host h9') });
  lab.simulator.lacks.add('listHosts');
  await expect(vms.migrate(vm, 'h1')).rejects.toMatchObject({ code: 'vm-migrate-unsupported', message: expect.stringContaining('administrator') });
  lab.simulator.cloud.deaf.add(vm.id);
  expect(await vms.stop(vm, { timeout: 20, force: false })).toBe('forced');
});

test('user-data of one’s own comes as it is; what the platform has no words for is refused before anything is made', async () => {
  const { lab: made, publication } = await published();
  await using lab = made;
  await using platform = await lab.open();
  const { vms } = platform;
  await vms.create(wish(publication, 'web', { seed: { userData: '#cloud-config\npackages: [nginx]\n' }, machine: { ip: '192.0.2.99/24' } }));
  expect(Buffer.from(named(lab, 'web')?.parameters['userdata'] ?? '', 'base64').toString()).toBe('#cloud-config\npackages: [nginx]\n');
  expect(named(lab, 'web')?.address).toBe('192.0.2.99');
  const before = lab.simulator.log.length;
  for (const change of [{ seed: { networkConfig: 'version: 2' } }, { machine: { vlan: 5 } }, { seed: { userData: 'x'.repeat(800_000) } }]) {
    await expect(vms.create(wish(publication, 'no', change))).rejects.toMatchObject({ code: 'vm-unfit' });
  }
  await expect(vms.create(wish(publication, '9lives'))).rejects.toMatchObject({ code: 'vm-unfit' });
  expect(lab.simulator.log).toHaveLength(before);
  await expect(vms.create(wish(publication, 'no', { seed: { userData: 'x'.repeat(40_000) } }))).rejects.toMatchObject({ code: 'user-data-too-long' });
  await expect(vms.create(wish(publication, 'no', { disk: 0 }))).rejects.toMatchObject({ code: 'disk-shrinks' });
  await expect(vms.create(wish(publication, 'no', { place: 'z9' }))).rejects.toMatchObject({ code: 'place-unfit' });
  expect(lab.simulator.cloud.summary().vms).toHaveLength(1);
});

test('one that cannot be deployed is removed; VMs go to the zone with the fewest', async () => {
  const { lab: made, publication } = await published({ cloud: new SimCloud(['z1', 'z2']) });
  await using lab = made;
  await using platform = await lab.open();
  const { vms } = platform;
  lab.simulator.cloud.zoneNamed('z2').deployFails = 'Unable to create a deployment: no host has capacity';
  await expect(vms.create(wish(publication, 'a', { place: 'z2' }))).rejects.toThrow(/no host has capacity/);
  expect(lab.simulator.cloud.summary().vms).toEqual([]);
  lab.simulator.cloud.zoneNamed('z2').deployFails = undefined;
  const places: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) places.push((await vms.create(wish(publication, name))).place);
  expect(places.toSorted()).toEqual(['z1', 'z1', 'z2', 'z2']);
});

describe('the size', () => {
  const offering = (name: string, cpunumber: number, memory: number) => ({ id: name, name, cpunumber, memory, iscustomized: false });
  const custom = {
    id: 'custom',
    name: 'custom',
    iscustomized: true,
    serviceofferingdetails: { mincpunumber: '2', maxcpunumber: '8', minmemory: '1024', maxmemory: '8192' },
  };
  const all = [offering('small', 1, 1024), offering('wide', 8, 2048), offering('medium', 2, 4096), custom];
  const none = { wanted: undefined, fallback: undefined };
  const zone = { name: 'z1' };
  test.each([
    [{}, 'small', undefined],
    [{ cpus: 1 }, 'small', undefined],
    [{ cpus: 2 }, 'wide', undefined],
    [{ cpus: 2, memory: 3000 }, 'medium', undefined],
    [{ cpus: 4, memory: 4096 }, 'custom', { cpuNumber: '4', memory: '4096', cpuSpeed: '1000' }],
    [{ offering: 'custom', cpus: 2 }, 'custom', { cpuNumber: '2', memory: '1024', cpuSpeed: '1000' }],
  ])('for %j is of %s', (asked, name, details) => {
    expect(sizeFor(all, asked, none, zone)).toMatchObject({ offering: { name }, details });
  });
  test('is what the target or the trial has, where nothing is asked for; what nobody gives is an error', () => {
    expect(sizeFor(all, {}, { wanted: 'medium', fallback: 'wide' }, zone).offering.name).toBe('medium');
    expect(sizeFor(all, {}, { wanted: undefined, fallback: 'wide' }, zone).offering.name).toBe('wide');
    expect(sizeFor(all, { cpus: 1 }, { wanted: 'medium', fallback: undefined }, zone).offering.name).toBe('small');
    expect(() => sizeFor(all, { cpus: 64 }, none, zone)).toThrow(expect.objectContaining({ code: 'offering-unfit', hint: expect.stringContaining('small') }));
    expect(() => sizeFor(all, { offering: 'small', memory: 9000 }, none, zone)).toThrow(expect.objectContaining({ code: 'offering-unfit' }));
    expect(() => sizeFor(all, { offering: 'smal' }, none, zone)).toThrow(expect.objectContaining({ code: 'offering-unknown' }));
  });
});

test('two addresses are of one network by its mask', () => {
  expect(isSameNetwork('192.0.2.1', '192.0.2.200', '255.255.255.0')).toBe(true);
  expect(isSameNetwork('192.0.2.1', '192.0.3.1', '255.255.255.0')).toBe(false);
  expect(isSameNetwork('192.0.2.1', '192.0.3.1', '255.255.254.0')).toBe(true);
  expect(isSameNetwork('192.0.2.1', '2001:db8::1', '255.255.254.0')).toBe(false);
});

describe('cut', () => {
  /** Makes a VM and the way to it with the connection cut at one request; returns whether it came so far. */
  async function cutAt(lab: CloudLab, { vms }: Platform, publication: Publication, at: number, how: 'cut' | 'lost'): Promise<boolean> {
    let count = 0;
    lab.simulator.fault = () => ((count += 1) === at ? how : undefined);
    const all = async (): Promise<void> => {
      const vm = await vms.create(wish(publication, 'web-1', { disk: 5 * GIB }));
      await vms.access(vm);
      await vms.stop(vm, { timeout: 1, force: true });
      await vms.delete(vm);
    };
    await all().catch(() => undefined);
    lab.simulator.fault = () => undefined;
    return count >= at;
  }

  test.each(['cut', 'lost'] as const)('(%s) at every request: there is one VM or none, and making it again makes it', { timeout: 900_000 }, async (how) => {
    const { lab: made, publication } = await published({ cloud: isolated(), defaults: { sshFrom: '203.0.113.7/32' } });
    await using lab = made;
    await using platform = await lab.open();
    const { vms } = platform;
    for (let at = 1; ; at++) {
      const hit = await cutAt(lab, platform, publication, at, how);
      if (!hit) break;
      await lab.simulator.cloud.settle();
      expect(lab.simulator.cloud.vms.size, `request ${at}`).toBeLessThanOrEqual(1);
      const there = (await vms.list({ all: true })).find(({ name }) => name === 'web-1');
      if (there === undefined || there.state === 'unfinished') await vms.create(wish(publication, 'web-1', { disk: 5 * GIB }));
      const vm = await vms.find('web-1');
      expect(vm, `request ${at}`).toMatchObject({ ours: true });
      await vms.start(vm);
      await vms.access(vm);
      await vms.stop(vm, { timeout: 1, force: true });
      await vms.delete(vm);
      expect(lab.simulator.cloud.summary(), `request ${at}`).toMatchObject({ vms: [], rules: [], keyPairs: [] });
    }
  });
});

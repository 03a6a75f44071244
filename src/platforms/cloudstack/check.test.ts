import { expect, test, vi } from 'vitest';
import { cloudLab } from '../../../tests/support/cloud-lab.ts';
import { SimCloud } from '../../../tests/simulators/cloudstack/cloud.ts';

vi.setConfig({ testTimeout: 300_000 });

test('all is well, and is told', async () => {
  await using lab = await cloudLab({ cloud: new SimCloud(['z1', 'z2']) });
  await using platform = await lab.open();
  const findings = await platform.check();
  expect(findings.map(({ name, result }) => `${name} ${result}`)).toEqual([
    'version passed',
    'clock passed',
    'throttling passed',
    'zone z1 passed',
    'zone z2 passed',
    'quota of templates passed',
    'quota of instances passed',
    'quota of secondary storage (GiB) passed',
    'commands passed',
  ]);
  expect(findings.find(({ name }) => name === 'zone z1')?.detail).toBe('enabled, KVM (QCOW2); nfs-z1, 900 GiB free');
});

test('each lack comes with its remedy', async () => {
  const cloud = new SimCloud([]);
  cloud.addZone('off', { enabled: false });
  cloud.addZone('full', { storeUsed: 950 * 2 ** 30 });
  cloud.addZone('down', { ssvm: 'Stopped' });
  cloud.addZone('none', { ssvm: 'none' });
  cloud.addZone('strange', { hypervisors: ['Hyperv'] });
  await using lab = await cloudLab({ cloud });
  cloud.templateLimit = 0;
  cloud.skewSeconds = 400;
  lab.simulator.lacks.add('registerTemplate').add('copyTemplate');
  await using platform = await lab.open();
  const findings = await platform.check();
  const of = (name: string) => findings.find((one) => one.name === name);
  expect(of('clock')).toMatchObject({ result: 'warning', detail: expect.stringMatching(/^(?:399|400) s ahead of/), remedy: 'timedatectl set-ntp true' });
  expect(of('zone off')).toMatchObject({ result: 'warning', detail: 'the zone off is disabled' });
  expect(of('zone full')).toMatchObject({ result: 'failed', detail: 'its secondary storage is full: nfs-full 95 %' });
  expect(of('zone down')).toMatchObject({ result: 'failed', detail: expect.stringContaining('s-1-down is Stopped, its agent Disconnected') });
  expect(of('zone none')).toMatchObject({ result: 'failed', detail: 'it has no secondary storage VM' });
  expect(of('zone strange')).toMatchObject({ result: 'warning', detail: expect.stringContaining('nothing that ingot makes') });
  expect(of('quota of templates')).toMatchObject({ result: 'failed', remedy: expect.stringContaining('Limits') });
  expect(of('command registerTemplate')).toMatchObject({ result: 'failed', remedy: 'Roles, the role of the user, Rules: allow registerTemplate.' });
  expect(of('command copyTemplate')).toMatchObject({ result: 'warning' });
  expect(findings.filter(({ result }) => result === 'failed').every(({ remedy }) => remedy !== undefined)).toBe(true);
});

test('a user who may not see the infrastructure is told what cannot be said', async () => {
  await using lab = await cloudLab();
  for (const command of ['listClusters', 'listSystemVms', 'listImageStores', 'listApis']) lab.simulator.lacks.add(command);
  await using platform = await lab.open();
  const findings = await platform.check();
  expect(findings.find(({ name }) => name === 'zone z1')).toMatchObject({
    result: 'passed',
    detail: expect.stringMatching(/^enabled, KVM .*cannot be seen by this user/),
  });
  expect(findings.find(({ name }) => name === 'commands')).toMatchObject({ result: 'warning', remedy: expect.stringContaining('listApis') });
});

test('what the target names and is not there is said before anything is published', async () => {
  await using lab = await cloudLab({ cloud: new SimCloud(['z1', 'z2']), defaults: { zones: ['z1', 'z9'], offering: 'huge', network: 'nowhere' } });
  await using platform = await lab.open();
  const lacks = (await platform.check()).filter(({ name }) => name.startsWith('--'));
  expect(lacks.map(({ name, result }) => `${name} ${result}`)).toEqual(['--zone failed', '--offering failed', '--network failed']);
  expect(lacks[0]).toMatchObject({ detail: 'the target names the zone z9, and there is none; there are z1, z2', remedy: expect.stringContaining('--replace') });
  expect(lacks[1]?.detail).toContain('the offering in z1 huge');
});

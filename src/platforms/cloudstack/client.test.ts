import { expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab } from '../../../tests/support/cloud-lab.ts';
import { SimCloud } from '../../../tests/simulators/cloudstack/cloud.ts';
import { CloudSimulator } from '../../../tests/simulators/cloudstack/server.ts';
import { newCloudStackTarget } from './add.ts';
import type { CloudStackClient } from './client.ts';
import { clientWith } from './open.ts';
import { ifAllowed, serverVersion } from './probe.ts';
import { REQUESTS } from './requests.ts';

vi.setConfig({ testTimeout: 300_000 });

function clientOf(lab: CloudLab, keys = lab.simulator.keys): CloudStackClient {
  return clientWith(lab.context(), lab.target, keys);
}

test('a wrong key is told from a clock that differs, and neither key is in the error', async () => {
  await using lab = await cloudLab();
  const client = clientOf(lab, { ...lab.simulator.keys, secretKey: 'another-secret' });
  const error: unknown = await client.call(REQUESTS.zones()).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'key-refused', class: 'host', hint: expect.stringContaining('--replace') });
  expect(JSON.stringify(error)).not.toMatch(/another-secret|an-API-key/);
  await client.close();
});

test.each([7200, -7200])('a server whose clock is %i s ahead is signed for by its own clock, and that is said once', async (skewSeconds) => {
  await using lab = await cloudLab();
  lab.simulator.cloud.skewSeconds = skewSeconds;
  const client = clientOf(lab);
  expect((await serverVersion(client)).version).toBe('4.22.1.0');
  await client.call(REQUESTS.zones());
  // The first request learns the clock; none is refused after it.
  expect(lab.simulator.log).toHaveLength(3);
  expect(lab.messages.filter((text) => text.includes('clock'))).toHaveLength(1);
  await client.close();
});

test('what the server holds back is asked for again, and what changes something is sent as a form', async () => {
  await using lab = await cloudLab({ enforcePost: true });
  lab.simulator.heldBack = 3;
  const client = clientOf(lab);
  await client.change(REQUESTS.registerKeyPair('a', 'ssh-ed25519 AAAA+/= x'), {
    what: 'a key',
    look: async () => ((await client.all(REQUESTS.keyPairs('a'))).length > 0 ? true : undefined),
  });
  expect(lab.simulator.log.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'POST', 'GET']);
  expect(lab.simulator.cloud.keyPairs.get('a')).toBe('ssh-ed25519 AAAA+/= x');
  await client.close();
});

test('lists are read page by page', async () => {
  await using lab = await cloudLab();
  const { cloud } = lab.simulator;
  cloud.templateLimit = 10_000;
  const [zone] = cloud.zones.keys();
  for (let i = 0; i < 1203; i++) cloud.newRow(cloud.newTemplate({ name: `t${i}`, format: 'QCOW2', hypervisor: 'KVM' }, undefined), zone ?? '', 'x');
  const client = clientOf(lab);
  const all = await client.all(REQUESTS.templates());
  expect(new Set(all.map(({ name }) => name)).size).toBe(1203);
  expect(lab.simulator.log).toHaveLength(3);
  await client.close();
});

test.each([
  ['deployVirtualMachine', 533, 'Unable to create a deployment for VM', 'capacity-missing', 'space'],
  ['deployVirtualMachine', 535, "Maximum number of resources of type 'user_vm' for account has been exceeded", 'quota-full', 'conflict'],
  ['deployVirtualMachine', 534, 'Unable to reach host', 'resource-unavailable', 'upstream'],
  ['deployVirtualMachine', 530, 'java.lang.NullPointerException', 'server-failed', 'upstream'],
])('a job %s that fails with %i says "%s"', async (command, code, text, expected, kind) => {
  await using lab = await cloudLab();
  const { cloud } = lab.simulator;
  cloud.failures.push({ command, code, text });
  const client = clientOf(lab);
  const jobid = cloud.job(command, () => Promise.resolve({}));
  const work = client.work(
    { ...REQUESTS.rebootVm('x'), command: 'queryAsyncJobResult', parameters: { jobid }, change: false },
    { what: 'the work', look: () => Promise.resolve(undefined) },
  );
  await expect(work).rejects.toMatchObject({ code: expected, class: kind, message: expect.stringContaining(text), hint: expect.stringMatching(/./) });
  await client.close();
});

test('a role that lacks a command is no reason to stop where it can be done without', async () => {
  await using lab = await cloudLab();
  lab.simulator.lacks.add('listSystemVms');
  const client = clientOf(lab);
  expect(await ifAllowed(client, REQUESTS.systemVms([...lab.simulator.cloud.zones.keys()][0] ?? ''))).toBeUndefined();
  await expect(client.call(REQUESTS.systemVms('x'))).rejects.toMatchObject({ code: 'command-missing', hint: expect.stringContaining('target check') });
  await client.close();
});

test('a target over TLS is known by its fingerprint, and what is no CloudStack is told', async () => {
  await using simulator = await CloudSimulator.start({ tls: true, cloud: new SimCloud(['z1']) });
  await using lab = await cloudLab();
  const input = {
    name: 'tls',
    url: simulator.url,
    fingerprint: simulator.tls.fingerprint,
    ca: undefined,
    defaults: {},
    keys: () => Promise.resolve(simulator.keys),
  };
  const made = await newCloudStackTarget(lab.context(), input);
  expect(made).toMatchObject({ version: '4.22.1.0', secret: 'an-API-key_of-86:a-Secret-KEY_of-86', target: { trust: { kind: 'fingerprint' } } });
  await expect(newCloudStackTarget(lab.context(), { ...input, fingerprint: 'A'.repeat(64) })).rejects.toMatchObject({ code: 'certificate-changed' });
  await expect(newCloudStackTarget(lab.context(), { ...input, url: simulator.url.replace('/client/api', '/other') })).rejects.toMatchObject({
    code: 'no-cloudstack',
  });
});

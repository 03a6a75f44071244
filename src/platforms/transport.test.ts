import { expect, test, vi } from 'vitest';
import { publishLab } from '../../tests/support/publish-lab.ts';
import { Simulator } from '../../tests/simulators/proxmox/server.ts';
import { selfSigned } from '../../tests/simulators/proxmox/self-signed.ts';
import { newProxmoxTarget } from './proxmox/add.ts';
import { shownCertificate } from './certificate.ts';
import { clientWith } from './proxmox/open.ts';
import { serverVersion } from './proxmox/probe.ts';
import { httpsTransport } from './transport.ts';

// Each is several publications, with TLS; a busy machine takes its time.
vi.setConfig({ testTimeout: 300_000 });

const SIGNAL = new AbortController().signal;
const HEADERS = { authorization: 'PVEAPIToken=a@pve!b=a secret' };

test('a pinned certificate that is another one gets no request, and so no token', async () => {
  await using simulator = await Simulator.start();
  const transport = httpsTransport(simulator.url, { kind: 'fingerprint', sha256: selfSigned('other').fingerprint });
  await expect(transport.send({ method: 'GET', path: '/api2/json/version', headers: HEADERS, signal: SIGNAL })).rejects.toMatchObject({
    code: 'certificate-changed',
    class: 'verification',
  });
  expect(simulator.log).toEqual([]);
  await transport.close();
});

test('a certificate that nobody vouches for gets none either; one whose CA is given does', async () => {
  await using simulator = await Simulator.start();
  for (const trust of [{ kind: 'system' as const }, { kind: 'ca' as const, pem: selfSigned('other').certificate }]) {
    const transport = httpsTransport(simulator.url, trust);
    await expect(transport.send({ method: 'GET', path: '/api2/json/version', headers: HEADERS, signal: SIGNAL })).rejects.toMatchObject({
      code: 'certificate-untrusted',
    });
    await transport.close();
  }
  expect(simulator.log).toEqual([]);
  const transport = httpsTransport(simulator.url, { kind: 'ca', pem: simulator.tls.certificate });
  expect((await transport.send({ method: 'GET', path: '/api2/json/version', headers: HEADERS, signal: SIGNAL })).status).toBe(401);
  await transport.close();
});

test('a server that is not there was sent nothing; one that ends the connection may have done it', async () => {
  const gone = httpsTransport('https://127.0.0.1:1', { kind: 'system' });
  await expect(gone.send({ method: 'GET', path: '/', headers: {}, signal: SIGNAL })).rejects.toMatchObject({ code: 'server-unreachable' });
  await gone.close();
  await using simulator = await Simulator.start();
  simulator.fault = () => 'lost';
  const transport = httpsTransport(simulator.url, { kind: 'fingerprint', sha256: simulator.tls.fingerprint });
  await expect(transport.send({ method: 'POST', path: '/api2/json/nodes/pve/qemu', headers: HEADERS, body: '', signal: SIGNAL })).rejects.toMatchObject({
    code: 'connection-lost',
  });
  await transport.close();
});

test('the certificate is shown without a request, and kept once it is agreed to', async () => {
  await using lab = await publishLab();
  const { simulator } = lab;
  expect(await shownCertificate(simulator.url, SIGNAL)).toMatchObject({ fingerprint: simulator.tls.fingerprint, subject: 'pve.example', trusted: false });
  const input = { name: 'lab', url: simulator.url, tokenId: simulator.tokenId, fingerprint: undefined, ca: undefined, defaults: {} };
  const before = simulator.log.length;
  lab.agrees = false;
  let asked = false;
  const secret = (): Promise<string> => {
    asked = true;
    return Promise.resolve(simulator.secret);
  };
  await expect(newProxmoxTarget(lab.context(), { ...input, secret })).rejects.toMatchObject({ code: 'target-refused' });
  // The secret is not even asked for.
  expect([asked, simulator.log.length]).toEqual([false, before]);
  lab.agrees = true;
  const made = await newProxmoxTarget(lab.context(), { ...input, secret });
  expect(made.target.trust).toEqual({ kind: 'fingerprint', sha256: simulator.tls.fingerprint });
  expect(lab.messages.join('\n')).toContain(simulator.tls.fingerprint);
  await expect(newProxmoxTarget(lab.context(), { ...input, secret: () => Promise.resolve('wrong') })).rejects.toMatchObject({ code: 'token-refused' });
});

test('the secret is in no error, and a clock that is wrong is known and does no harm', async () => {
  await using lab = await publishLab();
  const { simulator, target } = lab;
  simulator.tokenExpired = true;
  const client = clientWith(lab.context(), target, simulator.secret);
  const error: unknown = await serverVersion(client).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'token-refused', class: 'host' });
  expect(JSON.stringify(error) + String(error)).not.toContain(simulator.secret);
  simulator.tokenExpired = false;
  simulator.cluster.skewSeconds = -7200;
  expect(await serverVersion(client)).toMatchObject({ major: 9, minor: 2 });
  expect(Math.abs((client.skew ?? 0) + 7200)).toBeLessThan(120);
  await client.close();
});

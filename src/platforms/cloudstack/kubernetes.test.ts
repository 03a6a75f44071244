import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { expect, test, vi } from 'vitest';
import { cloudLab, type CloudLab } from '../../../tests/support/cloud-lab.ts';
import { SimCloud } from '../../../tests/simulators/cloudstack/cloud.ts';
import type { KubernetesVersions } from '../kubernetes-versions.ts';

vi.setConfig({ testTimeout: 120_000 });

const ISO = Buffer.alloc(200_000, 'kubernetes');
const SHA256 = createHash('sha256').update(ISO).digest('hex');

/** Where zones fetch the ISO. */
async function isoServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const found = request.url === '/setup-v1.33.1.iso';
    response.writeHead(found ? 200 : 404, { 'content-length': found ? ISO.length : 0 }).end(found && request.method === 'GET' ? ISO : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/setup-v1.33.1.iso`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function on<T>(lab: CloudLab, work: (versions: KubernetesVersions) => Promise<T>): Promise<T> {
  await using platform = await lab.open();
  if (platform.kubernetesVersions === undefined) throw new Error('none');
  return await work(platform.kubernetesVersions);
}

test('a version is added to all zones or to one, waited for, listed and removed', async () => {
  await using iso = await isoServer();
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud });
  const wish = { version: '1.33.1', url: iso.url, sha256: SHA256, cpus: 2, memory: 2048 };
  const GIB = 2 ** 30;
  await on(lab, async (versions) => {
    expect(await versions.list()).toEqual([]);
    expect(await versions.add(wish)).toMatchObject({ version: '1.33.1', name: 'v1.33.1', zone: 'all', enabled: true, cpus: 2, memory: 2 * GIB });
    expect([...cloud.isos.values()].flatMap(({ rows }) => [...rows.values()].map(({ ready }) => ready))).toEqual([true, true]);
    await versions.add({ ...wish, version: '1.9.0', name: 'old', zone: 'z2', memory: 4096 });
    // Once more changes nothing.
    await versions.add(wish);
    expect((await versions.list()).map(({ version, zone }) => `${version} ${zone}`)).toEqual(['1.33.1 all', '1.9.0 z2']);
    expect((await versions.list('z1')).map(({ version }) => version)).toEqual(['1.33.1']);
    await expect(versions.remove('1.33.2', {})).rejects.toMatchObject({ code: 'kubernetes-version-unknown', hint: expect.stringContaining('1.33.1') });
    await versions.add({ ...wish, zone: 'z1' });
    await expect(versions.remove('1.33.1', {})).rejects.toMatchObject({ code: 'kubernetes-version-ambiguous' });
    await versions.remove('old', {});
    for (const { id } of await versions.list()) await versions.remove(id, {});
    expect([await versions.list(), cloud.isos.size]).toEqual([[], 0]);
  });
  expect(lab.simulator.log.filter(({ command }) => command === 'addKubernetesSupportedVersion')).toHaveLength(3);
  expect(lab.simulator.wrong).toEqual([]);
});

test('one whose ISO does not come is removed again, with the cause; what cannot be is refused before anything is sent', async () => {
  await using iso = await isoServer();
  const cloud = new SimCloud(['z1', 'z2']);
  await using lab = await cloudLab({ cloud });
  const wish = { version: '1.33.1', url: iso.url, cpus: 2, memory: 2048 };
  await on(lab, async (versions) => {
    await expect(versions.add({ ...wish, sha256: '0'.repeat(64) })).rejects.toMatchObject({ code: 'download-failed', class: 'verification' });
    expect(cloud.kubernetesVersions.size).toBe(0);
    cloud.zoneNamed('z2').stallsAt = 40;
    await expect(versions.add(wish)).rejects.toMatchObject({ code: 'download-stalled', message: expect.stringContaining('z2') });
    expect(cloud.kubernetesVersions.size).toBe(0);
    const before = lab.simulator.log.length;
    await expect(versions.add({ ...wish, version: '1.33' })).rejects.toMatchObject({ code: 'version-invalid' });
    await expect(versions.add({ ...wish, memory: 1024 })).rejects.toMatchObject({ code: 'node-too-small' });
    expect(lab.simulator.log).toHaveLength(before);
    lab.simulator.kubernetes = false;
    await expect(versions.list()).rejects.toMatchObject({ code: 'kubernetes-missing' });
  });
  expect(lab.simulator.wrong).toEqual([]);
});

test.each(['cut', 'lost'] as const)('with the connection %s at any of its requests, a version is there once', async (mode) => {
  await using iso = await isoServer();
  await using lab = await cloudLab();
  await on(lab, async (versions) => {
    for (let at = 1; ; at += 1) {
      const start = lab.simulator.log.length;
      lab.simulator.fault = ({ number }) => (number === start + at ? mode : undefined);
      await versions.add({ version: `1.33.${at}`, url: iso.url, cpus: 2, memory: 2048 });
      await versions.remove(`1.33.${at}`, {});
      if (lab.simulator.log.length < start + at) return;
    }
  });
  expect([lab.simulator.cloud.kubernetesVersions.size, lab.simulator.cloud.isos.size]).toEqual([0, 0]);
});

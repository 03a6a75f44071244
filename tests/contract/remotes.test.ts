import { execFileSync, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { signImage } from '../../src/attest/sign-image.ts';
import { hexOf } from '../../src/base/types.ts';
import { parseRemoteAddress } from '../../src/remotes/address.ts';
import { openLayerCache } from '../../src/remotes/layer-cache.ts';
import { pullImage } from '../../src/remotes/pull.ts';
import { pushImage } from '../../src/remotes/push.ts';
import { signingKey } from '../../src/attest/keys.ts';
import { has, REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.ts';
import { remoteContext, sourceHome } from '../support/remote-lab.ts';
import { recordsOf, removeSampleHomes, sampleHome } from '../support/sample-images.ts';
import { freePort, startServer } from '../support/server-of-others.ts';

/* Remotes against the servers and clients of others: Debian's docker-registry, skopeo, and moto for S3. */

afterAll(removeSampleHomes);

const PULL = { plainHttp: false, force: false };
const LIMIT = { timeout: 600_000 };
const tools = has('docker-registry', '--version') && has('htpasswd') && has('openssl', 'version');

describe.skipIf(!tools)('docker-registry (skipped where it, htpasswd or openssl is not installed)', LIMIT, () => {
  test('with TLS and htpasswd: push and pull with a CA or a fingerprint, and refusals', LIMIT, async () => {
    await using registry = await startDockerRegistry({ secure: true });
    await using here = await sourceHome();
    await using there = await sampleHome();
    const secret = {
      [`INGOT_SECRET_REGISTRY_${registry.server.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`]: `${REGISTRY_USER.user}:${REGISTRY_USER.password}`,
    };
    const address = parseRemoteAddress(`oci://${registry.server}/team/web`);
    await signImage(remoteContext(here), 'web');
    const trusting = { 'remote-ca': registry.ca };
    await expect(pushImage(remoteContext(here, {}, [], secret), 'web', address, { plainHttp: false })).rejects.toMatchObject({
      code: 'remote-failed',
      message: expect.stringMatching(/self-signed|certificate/),
    });
    await expect(pushImage(remoteContext(here, trusting), 'web', address, { plainHttp: false })).rejects.toMatchObject({ code: 'remote-refused' });
    const pushed = await pushImage(remoteContext(here, trusting, [], secret), 'web:1.4', address, { plainHttp: false });
    expect(pushed).toMatchObject({ statements: 5, sent: pushed.blobs });

    const pinned = (hex: string) => ({ 'remote-fingerprints': `${registry.server}=sha256:${hex}` });
    await expect(pullImage(remoteContext(there, pinned('0'.repeat(64)), [], secret), { ...address, tag: '1.4' }, PULL)).rejects.toMatchObject({
      code: 'remote-failed',
      message: expect.stringContaining(registry.fingerprint),
    });
    const { public: key } = await signingKey(remoteContext(here));
    const pulled = await pullImage(
      remoteContext(there, { ...pinned(registry.fingerprint), 'trusted-keys': key.text }, [], secret),
      { ...address, tag: '1.4' },
      PULL,
    );
    expect(pulled).toMatchObject({ reference: 'web:1.4', statements: 5, signers: [key.text] });
    expect((await there.store.verify()).problems).toEqual([]);
  });

  test('without either: siblings share their base, a layer cache works, and skopeo reads what was pushed', LIMIT, async () => {
    await using registry = await startDockerRegistry({ secure: false });
    await using here = await sourceHome();
    await using there = await sampleHome();
    const address = (name: string) => parseRemoteAddress(`oci://${registry.server}/team/${name}`);
    await pushImage(remoteContext(here), 'base', address('base'), { plainHttp: true });
    expect(await pushImage(remoteContext(here), 'web', address('web'), { plainHttp: true })).toMatchObject({ mounted: 1, statements: 1 });
    expect(await pushImage(remoteContext(here), 'web', address('web'), { plainHttp: true })).toMatchObject({ sent: 0, bytes: 0 });
    await pullImage(remoteContext(there), address('web'), { ...PULL, plainHttp: true });
    expect((await there.store.resolve('web')).gate?.result).toBe('passed');

    const cache = `oci://${registry.server}/cache`;
    const image = await here.store.resolve('web');
    const [base] = await recordsOf(here.store, image);
    if (base === undefined) throw new Error('the image has layers');
    await (await openLayerCache(remoteContext(here, { cache, 'cache-push': 'yes' })))?.push(base, []);
    const { public: key } = await signingKey(remoteContext(here));
    await using third = await sampleHome();
    expect(await (await openLayerCache(remoteContext(third, { cache, 'trusted-keys': key.text })))?.fetch(base, undefined)).toBe(true);
    expect(await third.store.findLayer(base.key)).toEqual(base);

    if (spawnSync('skopeo', ['--version']).status !== 0) return;
    const name = `docker://${registry.server}/team/web:latest`;
    const told: unknown = JSON.parse(execFileSync('skopeo', ['inspect', '--tls-verify=false', name], { encoding: 'utf8' }));
    expect(told).toMatchObject({ Digest: image.digest, Layers: image.layers.map(({ digest }) => digest) });
    const copy = join(there.home.root, 'copy');
    execFileSync('skopeo', ['copy', '--quiet', '--insecure-policy', '--src-tls-verify=false', name, `oci:${copy}:x`]);
    for (const { digest } of image.layers) expect(await readFile(join(copy, 'blobs/sha256', hexOf(digest)))).toEqual(await readFile(here.home.blob(digest)));
  });
});

const moto = process.env['MOTO_SERVER'] ?? 'moto_server';
describe.skipIf(!has(moto, '--help'))('moto, an S3 server (skipped where moto_server is not installed)', LIMIT, () => {
  test('push and pull', LIMIT, async () => {
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    await using _server = await startServer(moto, ['-H', '127.0.0.1', '-p', String(port)], endpoint);
    expect((await fetch(`${endpoint}/images`, { method: 'PUT' })).status).toBe(200);
    await using here = await sourceHome();
    await using there = await sampleHome();
    const env = { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };
    const address = parseRemoteAddress('s3://images/golden/web');
    await pushImage(remoteContext(here, {}, [], env), 'web', address, { plainHttp: false });
    expect(await pushImage(remoteContext(here, {}, [], env), 'web', address, { plainHttp: false })).toMatchObject({ sent: 0 });
    await pullImage(remoteContext(there, {}, [], env), address, PULL);
    expect((await there.store.resolve('web')).gate?.result).toBe('passed');
  });
});

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { simulateRegistry, type Cut, type SimulatedRegistry } from '../../tests/simulators/registry/registry.ts';
import { remoteContext, sourceHome } from '../../tests/support/remote-lab.ts';
import { recordsOf, removeSampleHomes, sampleGate, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { signImage } from '../attest/sign-image.ts';
import { signingKey } from '../attest/keys.ts';
import { digestOf } from '../store/writing.ts';
import { parseRemoteAddress } from './address.ts';
import { openLayerCache } from './layer-cache.ts';
import { openRemote } from './open.ts';
import { pullImage } from './pull.ts';
import { pushImage } from './push.ts';

afterAll(removeSampleHomes);

const PLAIN = { plainHttp: true };
const PULL = { plainHttp: true, force: false };

function at(registry: SimulatedRegistry, rest: string) {
  return parseRemoteAddress(`oci://${registry.server}/${rest}`);
}

/** What a pulled image has to be: that of the source, whole, with its gate. */
async function expectPulled(from: SampleHome, to: SampleHome, reference: string): Promise<void> {
  const [sent, got] = [await from.store.resolve('web'), await to.store.resolve(reference)];
  expect(got.digest).toBe(sent.digest);
  expect(got.gate).toEqual(sent.gate);
  expect((await to.store.verify()).problems).toEqual([]);
  expect((await from.store.statements(sent)).map(({ contentDigest }) => contentDigest)).toEqual(
    (await to.store.statements(got)).map(({ contentDigest }) => contentDigest),
  );
}

describe.each([true, false])('where the registry lists referrers by itself: %s', (referrers) => {
  test('what was pushed is pulled, with all statements, and is not sent twice', async () => {
    await using registry = await simulateRegistry();
    registry.behaviour.referrers = referrers;
    await using here = await sourceHome();
    await using there = await sampleHome();
    await signImage(remoteContext(here), 'web');
    const first = await pushImage(remoteContext(here), 'web:1.4', at(registry, 'team/web'), PLAIN);
    expect(first).toMatchObject({ address: `oci://${registry.server}/team/web:1.4`, mounted: 0, statements: 5 });
    expect(first.sent).toBe(first.blobs);
    expect(await pushImage(remoteContext(here), 'web', at(registry, 'team/web'), PLAIN)).toMatchObject({ sent: 0, bytes: 0 });
    const pulled = await pullImage(remoteContext(there), at(registry, 'team/web:1.4'), PULL);
    expect(pulled).toMatchObject({ reference: 'web:1.4', isNew: true, statements: 5, signers: [] });
    await expectPulled(here, there, 'web:1.4');
    expect(await pullImage(remoteContext(there), at(registry, 'team/web:1.4'), PULL)).toMatchObject({ isNew: false, copied: 0 });
    expect(await there.host.files.list(there.home.pulls)).toEqual([]);
  });
});

test('a sibling takes the base from the repository of the other, and sends its own alone', async () => {
  await using registry = await simulateRegistry();
  await using here = await sourceHome();
  await pushImage(remoteContext(here), 'base', at(registry, 'team/base'), PLAIN);
  const pushed = await pushImage(remoteContext(here), 'web', at(registry, 'team/web'), PLAIN);
  expect(pushed.mounted).toBe(1);
  const own = (await here.store.resolve('web')).layers.at(-1)?.size ?? 0;
  expect(pushed.bytes).toBeLessThan(own + 10_000);
  registry.behaviour.mounts = false;
  expect(await pushImage(remoteContext(here), 'web', at(registry, 'team/third'), PLAIN)).toMatchObject({ mounted: 0, sent: pushed.blobs });
});

test.each(['basic', 'bearer'] as const)('%s authentication, with the password from where it may be', async (kind) => {
  await using registry = await simulateRegistry();
  registry.behaviour.auth = { kind, user: 'me', password: 'a:secret' };
  await using here = await sourceHome();
  const context = remoteContext(here);
  await expect(pushImage(context, 'web', at(registry, 'web'), PLAIN)).rejects.toMatchObject({ code: 'remote-refused' });
  const name = `INGOT_SECRET_REGISTRY_${registry.server.replaceAll(/[^0-9]/g, '_')}`;
  const wrong = { ...context, host: { ...context.host, env: { [name]: 'me:another' } } };
  await expect(pushImage(wrong, 'web', at(registry, 'web'), PLAIN)).rejects.toMatchObject({
    code: 'remote-refused',
    message: expect.not.stringContaining('another'),
  });
  const right = { ...context, host: { ...context.host, env: { [name]: 'me:a:secret' } } };
  await pushImage(right, 'web', at(registry, 'web'), PLAIN);
  // As `docker login` writes it.
  await here.host.files.makeDirectory(`${here.home.root}/.docker`);
  const auths = { [registry.server]: { auth: Buffer.from('me:a:secret').toString('base64') } };
  await here.host.files.write(`${here.home.root}/.docker/config.json`, JSON.stringify({ auths }));
  await using there = await sampleHome();
  await pullImage({ ...remoteContext(there), host: { ...remoteContext(there).host, env: { HOME: here.home.root } } }, at(registry, 'web'), PULL);
  await expectPulled(here, there, 'web:latest');
});

test('a busy server is waited for as long as it says', async () => {
  await using registry = await simulateRegistry();
  registry.behaviour.busy = 3;
  await using here = await sourceHome();
  const said: string[] = [];
  await pushImage(remoteContext(here, {}, said), 'web', at(registry, 'web'), PLAIN);
  expect(said.join()).toMatch(/busy \(429\); trying again in 1 s/);
});

test('wrong bytes are refused, and nothing is taken', async () => {
  await using registry = await simulateRegistry();
  await using here = await sourceHome();
  await using there = await sampleHome();
  await pushImage(remoteContext(here), 'web', at(registry, 'web'), PLAIN);
  registry.behaviour.lies = true;
  await expect(pullImage(remoteContext(there), at(registry, 'web'), PULL)).rejects.toMatchObject({ code: 'remote-mismatch', class: 'verification' });
  expect(await there.store.list({ untagged: true })).toEqual([]);
  await expect(pullImage(remoteContext(there), at(registry, 'nothing'), PULL)).rejects.toMatchObject({ code: 'remote-unknown', class: 'not-found' });
});

test('plain HTTP goes to this machine alone', async () => {
  await using here = await sourceHome();
  await expect(pushImage(remoteContext(here), 'web', parseRemoteAddress('oci://registry.example/web'), PLAIN)).rejects.toMatchObject({
    code: 'plain-http-refused',
  });
});

test('with trusted keys, only what they signed is pulled, and of the rest only what their signature names', async () => {
  await using registry = await simulateRegistry();
  await using here = await sourceHome();
  await using there = await sampleHome();
  await pushImage(remoteContext(here), 'web', at(registry, 'web'), PLAIN);
  const stranger = (await signingKey(remoteContext(there))).public.text;
  await there.host.files.remove(there.home.signingPublic);
  const { key } = await signImage(remoteContext(here), 'web');
  await pushImage(remoteContext(here), 'web', at(registry, 'web:signed'), PLAIN);
  await expect(pullImage(remoteContext(there, { 'trusted-keys': stranger }), at(registry, 'web:signed'), PULL)).rejects.toMatchObject({
    code: 'image-not-signed',
  });
  expect(await there.store.list({ untagged: true })).toEqual([]);
  // A gate that came after the signature is not named by it.
  await here.store.addGate(await here.store.resolve('web'), sampleGate('failed', '2026-06-01T00:00:00.000Z'));
  await pushImage(remoteContext(here), 'web', at(registry, 'web:later'), PLAIN);
  const pulled = await pullImage(remoteContext(there, { 'trusted-keys': key.text }), at(registry, 'web:later'), PULL);
  expect(pulled.signers).toEqual([key.text]);
  expect((await there.store.resolve('web:later')).gate?.result).toBe('passed');
});

test('cut at any request and in any way, the same command goes on, and the result is right', { timeout: 300_000 }, async () => {
  await using here = await sourceHome();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 45 }),
      fc.constantFrom<Cut>('before', 'middle', 'after', 'answer'),
      fc.record({ forgets: fc.boolean(), referrers: fc.boolean(), ranges: fc.boolean() }),
      async (where, how, behaviour) => {
        await using registry = await simulateRegistry();
        Object.assign(registry.behaviour, behaviour);
        registry.behaviour.cut = { at: where, how };
        await using there = await sampleHome();
        for (const attempt of [1, 2]) {
          try {
            await pushImage(remoteContext(here), 'web', at(registry, 'web'), PLAIN);
            break;
          } catch (error) {
            expect(error, `attempt ${attempt}`).toMatchObject({ code: 'remote-failed' });
          }
        }
        for (const attempt of [1, 2]) {
          try {
            await pullImage(remoteContext(there), at(registry, 'web'), PULL);
            break;
          } catch (error) {
            expect(error, `attempt ${attempt}`).toMatchObject({ code: 'remote-failed' });
            expect(await there.store.list({ untagged: true })).toEqual([]);
          }
        }
        await expectPulled(here, there, 'web:latest');
      },
    ),
    { numRuns: 25 },
  );
});

test.each([false, true])('a large blob that is cut in the middle goes on where it was, or from the start where the server forgot it (%s)', async (forgets) => {
  await using registry = await simulateRegistry();
  await using here = await sampleHome();
  const bytes = randomBytes(20 * 2 ** 20);
  const path = join(here.home.root, 'large');
  await here.host.files.write(path, bytes);
  const blob = { digest: digestOf(bytes), size: bytes.length, path };
  const context = remoteContext(here);
  registry.behaviour.forgets = forgets;
  // Begun, then sent.
  registry.behaviour.cut = { at: 2, how: 'middle' };
  const remote = await openRemote(context, at(registry, 'web'), { push: true, plainHttp: true });
  expect(await remote.send(blob, { signal: context.signal, onProgress: () => undefined })).toBe('sent');
  expect(await remote.size(blob.digest)).toBe(bytes.length);
  // Half of it was not sent twice, or was thrown away.
  expect(registry.received).toBe(bytes.length);
  registry.blobs.clear();
  await here.host.files.writePart(path, 100, Buffer.from('changed'));
  await expect(
    (await openRemote(context, at(registry, 'db'), { push: true, plainHttp: true })).send(blob, { signal: context.signal, onProgress: () => undefined }),
  ).rejects.toMatchObject({
    code: 'image-damaged',
  });
});

test('a blob of which one byte arrived is sent again, since servers speak of one byte as of none', async () => {
  await using registry = await simulateRegistry();
  await using here = await sampleHome();
  const bytes = Buffer.from('{}');
  const path = join(here.home.root, 'small');
  await here.host.files.write(path, bytes);
  const context = remoteContext(here);
  registry.behaviour.cut = { at: 2, how: 'middle' };
  const remote = await openRemote(context, at(registry, 'web'), { push: true, plainHttp: true });
  const blob = { digest: digestOf(bytes), size: bytes.length, path };
  expect(await remote.send(blob, { signal: context.signal, onProgress: () => undefined })).toBe('sent');
  expect(await remote.size(blob.digest)).toBe(bytes.length);
});

describe('the layer cache', () => {
  test('gives a layer to another machine that trusts the key, on the same parent, and to no other', async () => {
    await using registry = await simulateRegistry();
    await using here = await sourceHome();
    await using there = await sampleHome();
    const cache = `oci://${registry.server}/cache`;
    const [base, web] = await recordsOf(here.store, await here.store.resolve('web'));
    if (base === undefined || web === undefined) throw new Error('the image has two layers');
    const ours = await openLayerCache(remoteContext(here, { cache, 'cache-push': 'yes' }));
    await ours?.push(web, [base]);
    const said: string[] = [];
    const stranger = await openLayerCache(remoteContext(there, { cache }, said));
    expect(await stranger?.fetch(base, undefined)).toBe(false);
    expect(said.join()).toMatch(/not used: no key that is trusted signed it/);
    const { public: key } = await signingKey(remoteContext(here));
    const trusting = await openLayerCache(remoteContext(there, { cache, 'trusted-keys': key.text }));
    expect(await trusting?.fetch(web, web.digest)).toBe(false);
    expect(await trusting?.fetch(base, undefined)).toBe(true);
    expect(await trusting?.fetch(web, base.digest)).toBe(true);
    expect(await there.store.findLayer(web.key)).toEqual(web);
    expect((await there.store.verify()).problems).toEqual([]);
    // Without a server there is a warning, and no failure.
    await registry[Symbol.asyncDispose]();
    const alone: string[] = [];
    expect(await (await openLayerCache(remoteContext(there, { cache }, alone)))?.fetch(base, undefined)).toBe(false);
    expect(alone.join()).toMatch(/cannot be taken from the cache/);
  });

  test('is not written to where nobody said so', async () => {
    await using registry = await simulateRegistry();
    await using here = await sourceHome();
    const [base] = await recordsOf(here.store, await here.store.resolve('web'));
    if (base === undefined) throw new Error('the image has layers');
    await (await openLayerCache(remoteContext(here, { cache: `oci://${registry.server}/cache` })))?.push(base, []);
    expect(registry.requests).toEqual([]);
  });
});

import { chmod, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hexOf, type Digest } from '../base/types.ts';
import { withBacking } from '../disk/qcow2.ts';
import { commitSampleLayers, putSampleImage, sampleGate, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import type { Image } from './model.ts';

interface Damage {
  readonly kind: string;
  readonly do: (at: SampleHome, image: Image) => Promise<void>;
}

async function change(path: string, edit: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await readFile(path);
  await chmod(path, 0o644);
  await writeFile(path, edit(bytes));
}

function flip(bytes: Buffer): Buffer {
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  return bytes;
}

const base = (image: Image): Digest => image.layers[0]!.digest;
const top = (image: Image): Digest => image.layers[1]!.digest;

/** Damage to the bytes of one image; the other image shares nothing with it. */
const DAMAGES: Record<string, Damage> = {
  'a flipped bit in a layer': { kind: 'blob-changed', do: (at, image) => change(at.home.blob(top(image)), flip) },
  'a missing layer': { kind: 'blob-missing', do: (at, image) => rm(at.home.blob(base(image))) },
  'a truncated layer': { kind: 'blob-size', do: (at, image) => chmod(at.home.blob(top(image)), 0o644).then(() => truncate(at.home.blob(top(image)), 600)) },
  'a wrong backing file': {
    kind: 'backing-wrong',
    do: (at, image) =>
      change(at.home.blob(top(image)), (bytes) => Buffer.concat([withBacking(bytes, { name: '/etc/passwd', format: 'raw' }), bytes]).subarray(0, bytes.length)),
  },
  'a flipped bit in the manifest': { kind: 'manifest-invalid', do: (at, image) => change(at.home.blob(image.digest), flip) },
  'a missing manifest': { kind: 'blob-missing', do: (at, image) => rm(at.home.blob(image.digest)) },
  'a flipped bit in the config': { kind: 'manifest-invalid', do: (at, image) => change(at.home.blob(image.id), flip) },
};

describe.each(Object.entries(DAMAGES))('%s', (_name, damage) => {
  test('is found, named, and repaired so that a build makes it again; other images are untouched', async () => {
    await using at = await sampleHome();
    const good = await putSampleImage(at.store, at.home, 'good', ['latest']);
    const bad = await putSampleImage(at.store, at.home, 'bad', ['latest', 'v1']);
    expect((await at.store.verify()).problems).toEqual([]);
    await damage.do(at, bad);

    const found = await at.store.verify();
    expect(found.problems).toContainEqual(expect.objectContaining({ kind: damage.kind, images: expect.arrayContaining(['bad:latest', 'bad:v1']) }));
    expect((await at.store.verify(['good'])).problems).toEqual([]);
    expect((await at.store.verify(['bad'])).problems).not.toEqual([]);

    expect((await at.store.verify(undefined, undefined, { repair: true })).problems.every((problem) => problem.repaired !== undefined)).toBe(true);
    await expect(at.store.resolve('bad')).rejects.toMatchObject({ code: 'image-damaged' });
    expect(await at.store.resolve('good')).toEqual(good);
    expect((await at.store.list()).filter((one) => one.damaged !== undefined).map((one) => one.name)).toEqual(['bad', 'bad']);
    const keys = bad.config['dev.ingot.image'].layers.map((layer) => layer.key);
    if (damage.kind !== 'manifest-invalid' && !_name.includes('manifest')) expect(await at.store.findLayer(keys[1]!)).toBeUndefined();

    // What a build does then: the layers that are gone are made again, and the tags move.
    const again = await putSampleImage(at.store, at.home, 'bad', ['latest', 'v1']);
    expect((await at.store.resolve('bad')).digest).toBe(again.digest);
    await at.store.remove(bad.digest, new Map()).catch(() => undefined);
    await at.store.prune(new Map(), { layers: true });
    expect((await at.store.verify()).problems).toEqual([]);
    expect(await at.store.resolve('good')).toEqual(good);
  });
});

describe('the cache', () => {
  test('loses a damaged layer and all that stands on it, and keeps the others', async () => {
    await using at = await sampleHome();
    const [a, b, c] = await commitSampleLayers(at.store, at.home, ['a', 'b', 'c']);
    await change(at.home.blob(b!.digest), flip);
    expect(await at.store.findLayer(b!.key)).toBeDefined();
    await at.store.verify(undefined, undefined, { repair: true });
    expect(await Promise.all([a!, b!, c!].map(async ({ key }) => (await at.store.findLayer(key)) !== undefined))).toEqual([true, false, false]);
  });

  test('a record that cannot be read is found and removed', async () => {
    await using at = await sampleHome();
    const [a] = await commitSampleLayers(at.store, at.home, ['a']);
    await writeFile(at.home.layer(a!.key), 'garbage');
    expect((await at.store.verify()).problems).toEqual([expect.objectContaining({ kind: 'record-invalid', file: `layers/${hexOf(a!.key)}.json` })]);
    await at.store.verify(undefined, undefined, { repair: true });
    expect((await at.store.verify()).problems).toEqual([]);
  });
});

describe('index.json', () => {
  test.each(['garbage', '{"schemaVersion":2}', '{"schemaVersion":2,"manifests":[{"digest":"x"}]}', '', '[]'])(
    'with %j is refused by readers and writers, and put back from its copy',
    async (text) => {
      await using at = await sampleHome();
      const image = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1']);
      await at.store.addGate(image, sampleGate('passed'));
      const before = await at.store.list();
      await writeFile(join(at.home.store, 'index.json'), text);
      await expect(at.store.list()).rejects.toMatchObject({ code: 'store-damaged', hint: expect.stringContaining('--repair') });
      await expect(at.store.tag('web', 'x')).rejects.toMatchObject({ code: 'store-damaged' });
      expect((await at.store.verify()).problems).toEqual([expect.objectContaining({ kind: 'index-damaged', file: 'index.json' })]);
      expect((await at.store.verify(undefined, undefined, { repair: true })).problems[0]?.repaired).toMatch(/copy/);
      expect(await at.store.list()).toEqual(before);
      expect((await at.store.verify()).problems).toEqual([]);
    },
  );

  test('gone with its copy is made again from the manifests', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
    await writeFile(join(at.home.store, 'index.json'), 'garbage');
    await writeFile(join(at.home.store, 'index.copy.json'), 'garbage');
    await at.store.verify(undefined, undefined, { repair: true });
    expect((await at.store.list()).map(({ name, tag }) => `${name}:${tag}`)).toEqual([`web:${hexOf(image.digest).slice(0, 12)}`]);
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('missing with its copy there is noticed', async () => {
    await using at = await sampleHome();
    await putSampleImage(at.store, at.home, 'web', ['latest']);
    await rm(join(at.home.store, 'index.json'));
    expect((await at.store.verify()).problems).toEqual([expect.objectContaining({ kind: 'index-damaged' })]);
    await at.store.verify(undefined, undefined, { repair: true });
    expect(await at.store.list()).toHaveLength(1);
  });
});

test('a damaged gate statement proves nothing, and goes', async () => {
  await using at = await sampleHome();
  const image = await putSampleImage(at.store, at.home, 'web', ['latest']);
  await at.store.addGate(image, sampleGate('passed'));
  const index: { manifests: { digest: Digest; artifactType?: string }[] } = JSON.parse(await readFile(join(at.home.store, 'index.json'), 'utf8'));
  const statement = index.manifests.find((entry) => entry.artifactType !== undefined)!;
  await change(at.home.blob(statement.digest), flip);
  expect((await at.store.resolve('web')).gate).toBeUndefined();
  expect((await at.store.verify()).problems).toHaveLength(1);
  await at.store.verify(undefined, undefined, { repair: true });
  expect((await at.store.list())[0]?.gate).toBe('not-run');
  expect((await at.store.verify()).problems).toEqual([]);
});

test('an empty home is whole, and progress comes to its end', async () => {
  await using at = await sampleHome();
  expect(await at.store.verify()).toEqual({ images: 0, blobs: 0, bytes: 0, problems: [] });
  await putSampleImage(at.store, at.home, 'web', ['latest']);
  const seen: [number, number][] = [];
  const report = await at.store.verify(undefined, (done, total) => seen.push([done, total]));
  expect(report).toMatchObject({ images: 1, blobs: 4 });
  expect(seen.at(-1)?.[0]).toBeGreaterThan(0);
  for (const [done, total] of seen) expect(done).toBeLessThanOrEqual(total);
});

import { chmod, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Digest, Key } from '../base/types.ts';
import { withBacking } from '../disk/qcow2.ts';
import { putSampleImage, recordsOf, sampleHome, sampleLayer, sampleLayerFile, type SampleHome } from '../../tests/support/sample-images.ts';
import type { Image, LayerRecord } from './model.ts';

/*
 * Damage in the middle of a chain: base [bootstrap, packages], web [… nginx, files], shop [… role]. What is damaged belongs to web alone, or to its
 * record; base and shop must not notice.
 */

interface Chain {
  readonly at: SampleHome;
  readonly web: Image;
  /** Layer `nginx` of web, between `packages` and `files`. */
  readonly middle: LayerRecord;
  readonly others: readonly Image[];
}

async function chain(at: SampleHome): Promise<Chain> {
  const base = await putSampleImage(at.store, at.home, 'base', ['latest'], ['bootstrap', 'packages']);
  const below = await recordsOf(at.store, base);
  const web = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1'], ['nginx', 'files'], below);
  const shop = await putSampleImage(at.store, at.home, 'shop', ['latest'], ['role'], below);
  return { at, web, middle: (await recordsOf(at.store, web))[2]!, others: [base, shop] };
}

async function changeBlob({ at }: Chain, digest: Digest, edit: (bytes: Buffer) => Buffer): Promise<void> {
  const path = at.home.blob(digest);
  await chmod(path, 0o644);
  await writeFile(path, edit(await readFile(path)));
}

async function changeRecord({ at, middle }: Chain, changes: Partial<LayerRecord>): Promise<void> {
  await writeFile(at.home.layer(middle.key), JSON.stringify({ ...middle, ...changes }));
}

const ELSEWHERE = `sha256:${'7'.repeat(64)}` as Digest;

/** What the engine does to build web again: a cached layer counts where it stands on the layer below; everything else is made anew. */
async function rebuild({ at, web }: Chain): Promise<{ image: Image; made: string[] }> {
  const records: LayerRecord[] = [];
  const made: string[] = [];
  for (const { name, key } of web.config['dev.ingot.image'].layers) {
    const parent = records.at(-1)?.digest;
    const cached = await at.store.findLayer(key);
    if (cached !== undefined && cached.parent === parent) records.push(cached);
    else {
      made.push(name);
      records.push(await at.store.commitLayer(await sampleLayerFile(at.home, parent), { ...sampleLayer(name, parent), key }));
    }
  }
  const config = { ...web.config, rootfs: { type: 'layers' as const, diff_ids: records.map(({ digest }) => digest) } };
  return { image: await at.store.putImage(config, records, 'web' as Parameters<typeof at.store.putImage>[2], ['latest', 'v1']), made };
}

const BLOB_DAMAGES: Record<string, { readonly kind: string; readonly seenByBuilds: boolean; readonly do: (one: Chain) => Promise<void> }> = {
  'the middle layer is missing': { kind: 'blob-missing', seenByBuilds: true, do: ({ at, middle }) => rm(at.home.blob(middle.digest)) },
  'the middle layer is truncated': {
    kind: 'blob-size',
    seenByBuilds: true,
    do: async ({ at, middle }) => {
      await chmod(at.home.blob(middle.digest), 0o644);
      await truncate(at.home.blob(middle.digest), 700);
    },
  },
  'the middle layer names another backing file': {
    kind: 'backing-wrong',
    seenByBuilds: false,
    do: (one) =>
      changeBlob(one, one.middle.digest, (bytes) =>
        Buffer.concat([withBacking(bytes, { name: '/etc/shadow', format: 'raw' }), bytes]).subarray(0, bytes.length),
      ),
  },
  'the middle layer names no backing file': {
    kind: 'backing-wrong',
    seenByBuilds: false,
    do: (one) =>
      changeBlob(one, one.middle.digest, (bytes) => {
        bytes.writeBigUInt64BE(0n, 8);
        return bytes;
      }),
  },
};

describe.each(Object.entries(BLOB_DAMAGES))('%s', (_name, damage) => {
  test('it is named with the images that it spoils, and those alone; the build after a repair makes it and what stands on it', async () => {
    await using at = await sampleHome();
    const one = await chain(at);
    await damage.do(one);
    const { problems } = await at.store.verify();
    expect(problems).toContainEqual(
      expect.objectContaining({ kind: damage.kind, file: `blobs/sha256/${one.middle.digest.slice(7)}`, images: ['web:latest', 'web:v1'] }),
    );
    expect(problems.filter(({ file }) => file.startsWith('blobs')).every(({ file }) => file.endsWith(one.middle.digest.slice(7)))).toBe(true);
    expect((await at.store.verify(['base', 'shop'])).problems).toEqual([]);

    await at.store.verify(undefined, undefined, { repair: true });
    await expect(at.store.resolve('web')).rejects.toMatchObject({ code: 'image-damaged' });
    for (const other of one.others) expect(await at.store.resolve(other.digest)).toEqual(other);
    const { image, made } = await rebuild(one);
    expect(made).toEqual(['nginx', 'files']);
    expect((await at.store.resolve('web')).digest).toBe(image.digest);
    await at.store.prune(new Map(), {});
    expect((await at.store.verify()).problems).toEqual([]);
    for (const other of one.others) expect(await at.store.resolve(other.digest)).toEqual(other);
  });
});

test.each(Object.entries(BLOB_DAMAGES).filter(([, { seenByBuilds }]) => seenByBuilds))(
  '%s: a build without a repair makes it anew too, since a damaged layer is not cached',
  async (_name, damage) => {
    await using at = await sampleHome();
    const one = await chain(at);
    await damage.do(one);
    const { image, made } = await rebuild(one);
    expect(made).toEqual(['nginx', 'files']);
    expect((await at.store.resolve('web')).digest).toBe(image.digest);
    expect((await at.store.verify(['web', 'base', 'shop'])).problems).toEqual([]);
  },
);

const RECORD_DAMAGES: Record<string, { readonly says: RegExp; readonly do: (one: Chain) => Promise<void> }> = {
  'a record names another parent': { says: /stands on 7{64} .*and its header/, do: (one) => changeRecord(one, { parent: ELSEWHERE }) },
  'a record names no parent': { says: /stands on nothing, and its header/, do: (one) => changeRecord(one, { parent: undefined }) },
  'a record names another size': { says: /says 5 bytes, and the layer has/, do: (one) => changeRecord(one, { size: 5 }) },
  'a record names another disk size': { says: /the disk has 512 bytes, and the layer/, do: (one) => changeRecord(one, { virtualSize: 512 }) },
  'a record lies under another key': { says: /of another key/, do: (one) => changeRecord(one, { key: ELSEWHERE as string as Key }) },
};

test.each(Object.entries(RECORD_DAMAGES))('%s: the record is wrong, no image is spoiled, and the repair takes the record alone', async (_name, damage) => {
  await using at = await sampleHome();
  const one = await chain(at);
  await damage.do(one);
  const { problems } = await at.store.verify();
  expect(problems).toEqual([
    { kind: 'record-invalid', file: `layers/${one.middle.key.slice(7)}.json`, message: expect.stringMatching(damage.says), images: [] },
  ]);
  await at.store.verify(undefined, undefined, { repair: true });
  expect((await at.store.verify()).problems).toEqual([]);
  expect((await at.store.resolve('web')).digest).toBe(one.web.digest);
  expect((await rebuild(one)).made.slice(0, 1)).toEqual(['nginx']);
  expect((await at.store.verify()).problems).toEqual([]);
});

test('a record whose parent is gone with its own record is named, and goes', async () => {
  await using at = await sampleHome();
  const { middle } = await chain(at);
  const parent = await at.store.commitLayer(await sampleLayerFile(at.home, middle.digest), sampleLayer('cached', middle.digest));
  const child = await at.store.commitLayer(await sampleLayerFile(at.home, parent.digest), sampleLayer('on top', parent.digest));
  await rm(at.home.blob(parent.digest));
  expect((await at.store.verify()).problems.map(({ kind, file }) => `${kind} ${file}`)).toEqual([`blob-missing blobs/sha256/${parent.digest.slice(7)}`]);
  await rm(at.home.layer(parent.key));
  expect((await at.store.verify()).problems.map(({ kind, file }) => `${kind} ${file}`)).toEqual([`record-invalid layers/${child.key.slice(7)}.json`]);
  await at.store.verify(undefined, undefined, { repair: true });
  expect(await at.store.findLayer(child.key)).toBeUndefined();
  expect((await at.store.prune(new Map())).files).toEqual([`blobs/sha256/${child.digest.slice(7)}`]);
  expect((await at.store.verify()).problems).toEqual([]);
});

test('index.json that is garbage is put back with its chains, and a build goes on', async () => {
  await using at = await sampleHome();
  const one = await chain(at);
  const before = await at.store.tree();
  await writeFile(join(at.home.store, 'index.json'), '{"schemaVersion":2,"manifests":[{"digest":"sha256:zz"}]}');
  await expect(at.store.tree()).rejects.toMatchObject({ code: 'store-damaged' });
  await at.store.verify(undefined, undefined, { repair: true });
  expect(await at.store.tree()).toEqual(before);
  expect((await rebuild(one)).made).toEqual([]);
});

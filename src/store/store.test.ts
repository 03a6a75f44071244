import { readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, hostPath, parseDigest, parseName, type Digest } from '../base/types.ts';
import { emptyQcow2, parseQcow2Header } from '../disk/qcow2.ts';
import {
  commitSampleLayers,
  fillStore,
  putSampleImage,
  reopen,
  SAMPLE_DISK,
  sampleConfig,
  sampleGate,
  sampleHome,
  sampleLayer,
  sampleLayerFile,
} from '../../tests/support/sample-images.ts';
import { layerPaths } from './store.ts';

const NOBODY: ReadonlyMap<Digest, readonly string[]> = new Map();

describe('layers', () => {
  test('a committed layer is found by its key, and its blob is its digest', async () => {
    await using at = await sampleHome();
    const [base, top] = await commitSampleLayers(at.store, at.home, ['base', 'top']);
    expect(await reopen(at.host, at.home.root).findLayer(top!.key)).toEqual(top);
    expect(top!.parent).toBe(base!.digest);
    const status = await at.host.files.status(at.home.blob(top!.digest));
    expect(status).toMatchObject({ size: top!.size, mode: 0o444 });
    const { hex } = await at.host.files.sha256(at.home.blob(top!.digest));
    expect(hex).toBe(hexOf(top!.digest));
  });

  test('the same bytes twice are one blob', async () => {
    await using at = await sampleHome();
    const first = await at.store.commitLayer(await sampleLayerFile(at.home, undefined, 'same'), sampleLayer('a'));
    const second = await at.store.commitLayer(await sampleLayerFile(at.home, undefined, 'same'), sampleLayer('b'));
    expect(second.digest).toBe(first.digest);
    expect(await readdir(at.home.blobs)).toEqual([hexOf(first.digest)]);
    expect(await at.store.findLayer(first.key)).toBeDefined();
  });

  test('a path to the parent as backing name becomes its digest', async () => {
    await using at = await sampleHome();
    const [base] = await commitSampleLayers(at.store, at.home, ['base']);
    const file = hostPath(join(at.home.run, 'layer.qcow2'));
    await writeFile(file, emptyQcow2({ virtualSize: SAMPLE_DISK, backing: { name: at.home.blob(base!.digest), format: 'qcow2' } }));
    const top = await at.store.commitLayer(file, sampleLayer('top', base!.digest));
    expect(parseQcow2Header(await at.host.files.read(at.home.blob(top.digest))).backing).toEqual({ name: hexOf(base!.digest), format: 'qcow2' });
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test.each([
    ['another backing file', { name: '/etc/shadow', format: 'raw' }, /stands on \/etc\/shadow/],
    ['no backing file', undefined, /stands on nothing/],
  ])('%s is refused', async (_what, backing, message) => {
    await using at = await sampleHome();
    const [base] = await commitSampleLayers(at.store, at.home, ['base']);
    const file = hostPath(join(at.home.run, 'layer.qcow2'));
    await writeFile(file, emptyQcow2({ virtualSize: SAMPLE_DISK, ...(backing === undefined ? {} : { backing }) }));
    await expect(at.store.commitLayer(file, sampleLayer('top', base!.digest))).rejects.toThrow(message);
    expect(await readdir(at.home.blobs)).toEqual([hexOf(base!.digest)]);
  });

  test('another disk size, and what is no qcow2, are refused', async () => {
    await using at = await sampleHome();
    const file = await sampleLayerFile(at.home);
    await expect(at.store.commitLayer(file, { ...sampleLayer('a'), virtualSize: 5 })).rejects.toMatchObject({ code: 'layer-invalid' });
    await writeFile(file, 'text');
    await expect(at.store.commitLayer(file, sampleLayer('a'))).rejects.toMatchObject({ code: 'qcow2-invalid' });
  });

  test('a layer whose blob is gone, or has another size, is not found', async () => {
    await using at = await sampleHome();
    const [a, b] = await commitSampleLayers(at.store, at.home, ['a', 'b']);
    await at.host.files.setMode(at.home.blob(b!.digest), 0o644);
    await at.host.files.truncate(at.home.blob(b!.digest), 100);
    expect(await at.store.findLayer(b!.key)).toBeUndefined();
    await at.host.files.remove(at.home.blob(a!.digest));
    expect(await at.store.findLayer(a!.key)).toBeUndefined();
    await writeFile(at.home.layer(a!.key), '{"v":1');
    expect(await at.store.findLayer(a!.key)).toBeUndefined();
  });
});

describe('images', () => {
  test('are found by name, tag and digest', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest', '20260101']);
    expect(image.references).toEqual(['debian-12:20260101', 'debian-12:latest']);
    const short = `sha256:${hexOf(image.digest).slice(0, 12)}`;
    for (const reference of ['debian-12', 'debian-12:latest', 'debian-12:20260101', `debian-12@${image.digest}`, `debian-12@${short}`, short, image.digest]) {
      expect((await at.store.resolve(reference)).digest).toBe(image.digest);
    }
    expect(image.config).toEqual(
      sampleConfig(await Promise.all(image.config['dev.ingot.image'].layers.map(async ({ key }) => (await at.store.findLayer(key))!))),
    );
    expect(layerPaths(at.home, image)).toEqual(image.layers.map((layer) => at.home.blob(layer.digest)));
  });

  test('the same layers and config are the same image, with its time and its gate', async () => {
    await using at = await sampleHome();
    const layers = await commitSampleLayers(at.store, at.home, ['base']);
    const name = parseName('web', 'an image');
    const first = await at.store.putImage(sampleConfig(layers), layers, name, ['latest']);
    await at.store.addGate(first, sampleGate('passed'));
    const second = await at.store.putImage(sampleConfig(layers), layers, name, ['latest', 'v2']);
    expect(second).toEqual({ ...first, references: ['web:latest', 'web:v2'], gate: sampleGate('passed') });
    expect((await at.store.list()).map(({ tag, gate }) => [tag, gate])).toEqual([
      ['latest', 'passed'],
      ['v2', 'passed'],
    ]);
  });

  test('a moved tag leaves the old image, untagged', async () => {
    await using at = await sampleHome();
    const old = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const young = await putSampleImage(at.store, at.home, 'web', ['latest']);
    expect((await at.store.resolve('web')).digest).toBe(young.digest);
    expect((await at.store.resolve(`web@${old.digest}`)).references).toEqual([]);
    expect((await at.store.list()).map((one) => one.digest)).toEqual([young.digest]);
    expect((await at.store.list({ untagged: true })).map((one) => [one.name, one.tag])).toEqual([
      ['web', ''],
      ['web', 'latest'],
    ]);
  });

  test('tag gives another name, and moves it', async () => {
    await using at = await sampleHome();
    const a = await putSampleImage(at.store, at.home, 'a', ['latest']);
    const b = await putSampleImage(at.store, at.home, 'b', ['latest']);
    expect((await at.store.tag('a', 'stable:v1')).references).toEqual(['a:latest', 'stable:v1']);
    expect((await at.store.tag('b', 'stable:v1')).references).toEqual(['b:latest', 'stable:v1']);
    expect((await at.store.resolve('stable:v1')).digest).toBe(b.digest);
    expect((await at.store.resolve('a')).references).toEqual(['a:latest']);
    expect((await at.store.list()).find((one) => one.name === 'stable')?.digest).toBe(b.digest);
    expect((await at.store.tag('a', 'c')).references).toEqual(['a:latest', 'c:latest']);
    await expect(at.store.tag('a', `c@${a.digest}`)).rejects.toMatchObject({ code: 'reference-invalid' });
  });

  test('unknown and ambiguous references say what there is', async () => {
    await using at = await sampleHome();
    await expect(at.store.resolve('debian-12')).rejects.toMatchObject({ code: 'image-unknown', class: 'not-found' });
    await putSampleImage(at.store, at.home, 'debian-12', ['latest', 'v1']);
    await expect(at.store.resolve('debain-12')).rejects.toMatchObject({ code: 'image-unknown', hint: expect.stringContaining('debian-12') });
    await expect(at.store.resolve('debian-12:v2')).rejects.toMatchObject({ hint: expect.stringContaining('debian-12:v1') });
    await putSampleImage(at.store, at.home, 'web', ['v1']);
    await expect(at.store.resolve('web')).rejects.toMatchObject({
      message: 'There is no image web:latest in the store',
      hint: expect.stringContaining('Did you mean web:v1?'),
    });
    await expect(at.store.resolve(`web@sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'image-unknown' });
    for (const bad of ['web@sha256:123', 'web@', 'web:', 'web:-x', 'Web', '../x', 'web:a b', '']) {
      await expect(at.store.resolve(bad)).rejects.toMatchObject({ class: 'usage' });
    }
  });

  test('layers that do not stand on each other make no image', async () => {
    await using at = await sampleHome();
    const [a, b] = await commitSampleLayers(at.store, at.home, ['a', 'b']);
    const put = (layers: typeof config.layers) => at.store.putImage(config.config, layers, parseName('x', 'an image'), ['latest']);
    const config = { config: sampleConfig([a!, b!]), layers: [a!, b!] };
    await expect(put([b!, a!])).rejects.toMatchObject({ code: 'layer-chain' });
    await expect(put([a!])).rejects.toMatchObject({ code: 'layer-chain' });
    await at.host.files.remove(at.home.blob(a!.digest));
    await expect(put([a!, b!])).rejects.toMatchObject({ code: 'layer-gone' });
    expect(await at.store.list()).toEqual([]);
  });

  test('the newest gate statement is shown, whatever the order in which they come', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1']);
    expect(image.gate).toBeUndefined();
    await at.store.addGate(image, sampleGate('passed', '2026-02-01T00:00:00.000Z'));
    await at.store.addGate(image, sampleGate('failed', '2026-01-01T00:00:00.000Z'));
    expect((await at.store.list()).map((one) => one.gate)).toEqual(['passed', 'passed']);
    await at.store.addGate(image, sampleGate('failed', '2026-03-01T00:00:00.000Z'));
    expect((await at.store.resolve('web')).gate).toEqual(sampleGate('failed', '2026-03-01T00:00:00.000Z'));
    expect((await at.store.list()).map((one) => one.gate)).toEqual(['failed', 'failed']);
    expect((await at.store.resolve('web')).digest).toBe(image.digest);
  });

  test('a thousand of them are listed from index.json alone', async () => {
    await using at = await sampleHome();
    await fillStore(at.host, at.home, 1000);
    const opened: string[] = [];
    const spy = { ...at.host, files: { ...at.host.files, read: (path: string) => (opened.push(path), at.host.files.read(path)) } };
    const list = await reopen(spy, at.home.root).list();
    expect(list).toHaveLength(1000);
    expect(list[999]).toMatchObject({ name: 'sample-0999', tag: 'latest', virtualSize: SAMPLE_DISK, release: 'debian-12', gate: 'not-run' });
    expect(opened).toEqual([join(at.home.store, 'index.json')]);
  });
});

describe('remove', () => {
  test('takes the reference, and with the last one the image and what only it used', async () => {
    await using at = await sampleHome();
    const base = await commitSampleLayers(at.store, at.home, ['base']);
    const a = await putSampleImage(at.store, at.home, 'a', ['latest', 'v1'], ['a'], base);
    const b = await putSampleImage(at.store, at.home, 'b', ['latest'], ['b'], base);
    await at.store.addGate(a, sampleGate('passed'));
    expect(await at.store.remove('a', NOBODY)).toMatchObject({ untagged: ['a:latest'], remaining: ['a:v1'], removed: false, freed: 0 });
    const last = await at.store.remove('a:v1', NOBODY);
    expect(last).toMatchObject({ untagged: ['a:v1'], remaining: [], removed: true });
    expect(last.freed).toBeGreaterThan(0);
    expect(await readdir(at.home.blobs)).toEqual([b.digest, b.id, ...b.layers.map((layer) => layer.digest)].map(hexOf).toSorted());
    expect(await at.store.resolve('b')).toEqual(b);
    expect(await at.store.findLayer(base[0]!.key)).toBeDefined();
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('by digest takes all references', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'a', ['latest', 'v1']);
    await at.store.tag('a', 'other');
    expect(await at.store.remove(`a@${image.digest}`, NOBODY)).toMatchObject({ removed: true, remaining: [] });
    expect(await at.store.list({ untagged: true })).toEqual([]);
    expect(await readdir(at.home.blobs)).toEqual([]);
  });

  test('is refused with the names of the VMs, and changes nothing', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'a', ['latest', 'v1']);
    const inUse = new Map([[image.digest, ['web', 'db']]]);
    expect(await at.store.remove('a:v1', inUse)).toMatchObject({ removed: false });
    await expect(at.store.remove('a', inUse)).rejects.toMatchObject({
      code: 'image-in-use',
      class: 'conflict',
      message: expect.stringMatching(/2 VMs: web, db/),
    });
    expect((await at.store.resolve('a')).digest).toBe(image.digest);
  });

  test('keeps a layer that a build in progress stands on', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'a', ['latest']);
    const parent = image.layers[0]!.digest;
    const file = await sampleLayerFile(at.home, parent);
    await at.store.remove('a', NOBODY);
    expect(await at.store.commitLayer(file, sampleLayer('next', parent))).toMatchObject({ parent });
  });

  test('keeps the whole chain that a build in progress stands on, also without records of it', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'a', ['latest'], ['one', 'two', 'three']);
    const file = await sampleLayerFile(at.home, image.layers[2]!.digest);
    // As the gate has the disk of the VM that it boots: in a folder of its scratch folder.
    await at.host.files.makeDirectory(join(dirname(file), 'vm'));
    await at.host.files.rename(file, join(dirname(file), 'vm', 'disk.qcow2'));
    for (const { key } of image.config['dev.ingot.image'].layers) await at.host.files.remove(at.home.layer(key));
    await at.store.remove('a', NOBODY);
    for (const layer of image.layers) expect(await at.host.files.status(at.home.blob(layer.digest))).toBeDefined();
  });

  test('keeps a layer that another cached layer stands on', async () => {
    await using at = await sampleHome();
    const base = await commitSampleLayers(at.store, at.home, ['base']);
    await putSampleImage(at.store, at.home, 'a', ['latest'], ['a'], base);
    const [, cached] = await commitSampleLayers(at.store, at.home, ['cached'], base);
    await at.store.remove('a', NOBODY);
    expect(await at.store.findLayer(cached!.key)).toEqual(cached);
    expect(await at.store.findLayer(base[0]!.key)).toEqual(base[0]);
  });
});

describe('prune', () => {
  test('removes untagged unused images, orphans and leftovers; says so first with dryRun', async () => {
    await using at = await sampleHome();
    const old = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const used = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const young = await putSampleImage(at.store, at.home, 'web', ['latest']);
    const orphan = parseDigest(`sha256:${'5'.repeat(64)}`);
    await writeFile(at.home.blob(orphan), 'nobody knows me');
    await writeFile(`${at.home.blob(orphan)}.tmp-1-1`, 'half');
    await writeFile(join(at.home.layers, 'garbage.json'), '{');
    const inUse = new Map([[used.digest, ['vm-1']]]);
    const before = await readdir(at.home.blobs);
    const said = await at.store.prune(inUse, { dryRun: true });
    expect(await readdir(at.home.blobs)).toEqual(before);
    const done = await at.store.prune(inUse);
    expect(done).toEqual(said);
    expect(done.images).toEqual([{ name: 'web', digest: old.digest, references: [] }]);
    expect(done.files).toContain(`blobs/sha256/${hexOf(orphan)}`);
    expect(done.files).toContain('layers/garbage.json');
    expect(done.kept.join()).toMatch(/used by vm-1/);
    const left = [young, used].flatMap((image) => [image.digest, image.id, ...image.layers.map((layer) => layer.digest)]);
    expect(await readdir(at.home.blobs)).toEqual([...new Set(left.map(hexOf))].toSorted());
    expect((await at.store.verify()).problems).toEqual([]);
    expect(await at.store.prune(inUse)).toMatchObject({ images: [], layers: [], files: [], freed: 0 });
  });

  test('removes cached layers only when asked', async () => {
    await using at = await sampleHome();
    const [a, b] = await commitSampleLayers(at.store, at.home, ['a', 'b']);
    expect(await at.store.prune(NOBODY)).toMatchObject({ layers: [], files: [] });
    expect(await at.store.findLayer(b!.key)).toBeDefined();
    expect((await at.store.prune(NOBODY, { layers: true })).layers.map((layer) => layer.name).toSorted()).toEqual(['a', 'b']);
    expect(await at.store.findLayer(a!.key)).toBeUndefined();
    expect(await readdir(at.home.blobs)).toEqual([]);
  });

  test('leaves images without a tag, and cached layers, while somebody works: a gate may be running', async () => {
    await using at = await sampleHome();
    const untagged = await putSampleImage(at.store, at.home, 'web', []);
    const [cached] = await commitSampleLayers(at.store, at.home, ['cached']);
    await using scratch = await makeScratch(at.host, at.home, 'a build');
    const { images, kept } = await at.store.prune(NOBODY, { layers: true, maxSize: 1 });
    expect([images, kept.join()]).toEqual([[], expect.stringMatching(/while a build or the like is running/)]);
    await at.store.addGate(untagged, sampleGate('passed'));
    expect(await at.store.findLayer(cached!.key)).toBeDefined();
    await scratch[Symbol.asyncDispose]();
    expect((await at.store.prune(NOBODY, { layers: true })).images).toHaveLength(1);
  });

  test('keeps what a VM stands on, though the index has lost its image', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'a', ['latest']);
    await writeFile(join(at.home.store, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
    await at.store.prune(new Map([[image.digest, ['vm-1']]]), { layers: true });
    for (const layer of image.layers) expect(await at.host.files.status(at.home.blob(layer.digest))).toBeDefined();
  });

  test('removes nothing while a manifest cannot be read', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'a', ['latest']);
    await at.host.files.remove(at.home.blob(image.digest));
    const before = await readdir(at.home.blobs);
    expect((await at.store.prune(NOBODY, { layers: true })).kept.join()).toMatch(/cannot be read/);
    expect(await readdir(at.home.blobs)).toEqual(before);
  });
});

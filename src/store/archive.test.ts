import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { toIngotError } from '../base/errors.ts';
import { homeAt } from '../base/home.ts';
import { hostFiles } from '../base/files.ts';
import { sweepScratch } from '../base/scratch.ts';
import { hexOf, hostPath, type HostPath } from '../base/types.ts';
import { atEveryEffect, Killed, type Fault } from '../../tests/support/faulty-host.ts';
import {
  copyHome,
  putSampleImage,
  quickHost,
  recordsOf,
  sampleGate,
  removeSampleHomes,
  sampleHome,
  type SampleHome,
} from '../../tests/support/sample-images.ts';
import type { Image } from './model.ts';
import { openStore } from './store.ts';
import { readTar, TAR_END, tarHeader, tarPadding } from './tar.ts';

afterAll(removeSampleHomes);

/** A store with a base, two images on it, and an archive of those two. */
async function saved(at: SampleHome): Promise<{ archive: HostPath; web: Image; shop: Image }> {
  const base = await putSampleImage(at.store, at.home, 'base', ['latest'], ['bootstrap', 'packages']);
  const web = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1'], ['nginx'], await recordsOf(at.store, base));
  const shop = await putSampleImage(at.store, at.home, 'shop', ['latest'], ['copy', 'run'], await recordsOf(at.store, web));
  await at.store.addGate(web, sampleGate('passed'));
  const archive = hostPath(join(at.home.root, 'images.tar'));
  await at.store.save(['web', shop.digest], archive, {});
  return { archive, web, shop };
}

async function untouched(at: SampleHome): Promise<void> {
  for (const folder of [at.home.blobs, at.home.layers, at.home.run]) expect(await readdir(folder), folder).toEqual([]);
  expect(await at.store.list({ untagged: true })).toEqual([]);
}

type Edit = (files: Map<string, Buffer>) => void;

/** The archive with some files changed. */
async function edited(archive: HostPath, edit: Edit): Promise<HostPath> {
  const bytes = await readFile(archive);
  const files = new Map<string, Buffer>();
  for (const { name, size, position } of (await readTar(hostFiles, archive)).values()) files.set(name, Buffer.from(bytes.subarray(position, position + size)));
  edit(files);
  const parts = [...files].flatMap(([name, data]) => [tarHeader(name, data.length), data, tarPadding(data.length)]);
  await writeFile(archive, Buffer.concat([...parts, TAR_END]));
  return archive;
}

function editJson(files: Map<string, Buffer>, name: string, change: (text: string) => string): void {
  files.set(name, Buffer.from(change(files.get(name)!.toString('utf8'))));
}

describe('save and load', () => {
  test('bring images, gates and the layer cache to another store, shared layers once', async () => {
    await using here = await sampleHome();
    await using there = await sampleHome();
    const { archive, web, shop } = await saved(here);
    const names = [...(await readTar(hostFiles, archive)).keys()];
    expect(new Set(names).size).toBe(names.length);

    const loaded = await there.store.load(archive);
    expect(loaded.images.map(({ references, isNew }) => [references, isNew])).toEqual([
      [['web:latest'], true],
      [['shop:latest'], true],
    ]);
    expect(loaded).toMatchObject({ cached: 5 });
    expect(await there.store.resolve('web')).toEqual({ ...web, references: ['web:latest'], gate: sampleGate('passed') });
    expect(await there.store.resolve('shop')).toEqual(shop);
    expect((await there.store.list()).map(({ name, tag, gate }) => [name, tag, gate])).toEqual([
      ['shop', 'latest', 'not-run'],
      ['web', 'latest', 'passed'],
    ]);
    expect(await recordsOf(there.store, shop)).toEqual(await recordsOf(here.store, shop));
    expect((await there.store.verify()).problems).toEqual([]);
    expect(await there.store.load(archive)).toMatchObject({ copied: 0, cached: 0, images: [{ isNew: false }, { isNew: false }] });
    expect(await readdir(there.home.run)).toEqual([]);
    // The same images make the same archive, there as here.
    const again = hostPath(join(there.home.root, 'again.tar'));
    await there.store.save(['web', shop.digest], again, {});
    expect((await readFile(again)).equals(await readFile(archive))).toBe(true);
  });

  test('--no-cache takes the images alone', async () => {
    await using here = await sampleHome();
    await using there = await sampleHome();
    const { archive, shop } = await saved(here);
    expect(await there.store.load(archive, { cache: false })).toMatchObject({ cached: 0 });
    expect((await there.store.resolve('shop')).digest).toBe(shop.digest);
    expect(await recordsOf(there.store, shop)).toEqual([]);
  });

  test('what the layer cache knows stays, whatever the archive says of the same key', async () => {
    await using here = await sampleHome();
    await using there = await sampleHome();
    const { archive } = await saved(here);
    const mine = await putSampleImage(there.store, there.home, 'mine', ['latest'], ['bootstrap']);
    const [record] = await recordsOf(there.store, mine);
    expect((await recordsOf(here.store, await here.store.resolve('base')))[0]).toMatchObject({ key: record!.key });
    expect(await there.store.load(archive)).toMatchObject({ cached: 4 });
    expect(await there.store.findLayer(record!.key)).toEqual(record);
    expect((await there.store.verify()).problems).toEqual([]);
  });

  test('a tag of another image is refused, and moved by force', async () => {
    await using here = await sampleHome();
    await using there = await sampleHome();
    const { archive, web } = await saved(here);
    const mine = await putSampleImage(there.store, there.home, 'web', ['latest']);
    const before = await readdir(there.home.blobs);
    await expect(there.store.load(archive)).rejects.toMatchObject({ code: 'tag-exists', class: 'conflict', message: expect.stringContaining('web:latest') });
    expect(await readdir(there.home.blobs)).toEqual(before);
    expect((await there.store.resolve('web')).digest).toBe(mine.digest);
    await there.store.load(archive, { force: true });
    expect((await there.store.resolve('web')).digest).toBe(web.digest);
    expect((await there.store.resolve(mine.digest)).references).toEqual([]);
  });

  test('what the store has damaged is mended from the archive', async () => {
    await using at = await sampleHome();
    const { archive, shop } = await saved(at);
    const blob = at.home.blob(shop.layers[2]!.digest);
    await at.host.files.setMode(blob, 0o644);
    await truncate(blob, 100);
    await at.store.verify(undefined, undefined, { repair: true });
    await expect(at.store.resolve('shop')).rejects.toMatchObject({ code: 'image-damaged' });
    expect(await at.store.load(archive)).toMatchObject({ copied: 1 });
    expect((await at.store.resolve('shop')).digest).toBe(shop.digest);
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('an archive as other tools write it: no records, no annotations of ours, folders', async () => {
    await using here = await sampleHome();
    await using there = await sampleHome();
    const { archive, web } = await saved(here);
    await edited(archive, (files) => {
      files.delete('ingot-layers.json');
      const manifests = [
        { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: web.digest, size: files.get(`blobs/sha256/${hexOf(web.digest)}`)!.length },
      ];
      files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
    });
    const { images } = await there.store.load(archive);
    expect(images).toEqual([{ digest: web.digest, references: [`web:${hexOf(web.digest).slice(0, 12)}`], isNew: true }]);
    expect((await there.store.resolve(images[0]!.references[0]!)).config).toEqual(web.config);
    expect((await there.store.verify()).problems).toEqual([]);
  });

  test('a damaged image is not saved, and a file is not replaced unasked', async () => {
    await using at = await sampleHome();
    const { archive, shop } = await saved(at);
    await expect(at.store.save(['web'], archive, {})).rejects.toMatchObject({ code: 'file-exists' });
    const blob = at.home.blob(shop.layers.at(-1)!.digest);
    const bytes = await readFile(blob);
    await at.host.files.setMode(blob, 0o644);
    await writeFile(blob, Buffer.concat([bytes.subarray(0, -1), Buffer.from('!')]));
    const before = await readFile(archive);
    await expect(at.store.save(['shop'], archive, { force: true })).rejects.toMatchObject({ code: 'image-damaged' });
    expect((await readFile(archive)).equals(before)).toBe(true);
    expect((await readdir(at.home.root)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

const layerFile = (image: Image): string => `blobs/sha256/${hexOf(image.layers[1]!.digest)}`;

/** What somebody could do to an archive, and what the message must tell. */
const ATTACKS: Record<string, { readonly edit: (files: Map<string, Buffer>, web: Image) => void; readonly says: RegExp }> = {
  'a changed layer': { edit: (files, web) => files.get(layerFile(web))!.write('!', 2100), says: /have changed/ },
  'a missing layer': { edit: (files, web) => files.delete(layerFile(web)), says: /is missing/ },
  'a longer layer': { edit: (files, web) => files.set(layerFile(web), Buffer.concat([files.get(layerFile(web))!, Buffer.alloc(1)])), says: /instead of/ },
  'a changed manifest': { edit: (files, web) => files.get(`blobs/sha256/${hexOf(web.digest)}`)!.write('!', 5), says: /have changed/ },
  'a changed config': { edit: (files, web) => files.get(`blobs/sha256/${hexOf(web.id)}`)!.write('!', 5), says: /have changed/ },
  'no index': { edit: (files) => files.delete('index.json'), says: /index\.json is missing/ },
  'an index that is garbage': { edit: (files) => files.set('index.json', Buffer.from('{"schemaVersion":2')), says: /not JSON/ },
  'an empty index': { edit: (files) => files.set('index.json', Buffer.from('{"schemaVersion":2,"manifests":[]}')), says: /holds no image/ },
  'no layout marker': { edit: (files) => files.delete('oci-layout'), says: /oci-layout is missing/ },
  'a record under another key': {
    edit: (files, web) =>
      editJson(files, 'ingot-layers.json', (text) => text.replaceAll(web.config['dev.ingot.image'].layers[1]!.key, `sha256:${'1'.repeat(64)}`)),
    says: /fits no image/,
  },
  'a record on another parent': {
    edit: (files) => editJson(files, 'ingot-layers.json', (text) => text.replace(/"parent":"sha256:[0-9a-f]{8}/, '"parent":"sha256:00000000')),
    says: /fits no image/,
  },
  'a record with another disk size': {
    edit: (files) => editJson(files, 'ingot-layers.json', (text) => text.replace('"virtualSize":1048576', '"virtualSize":1048577')),
    says: /bytes of disk/,
  },
  'a record of no form': { edit: (files) => files.set('ingot-layers.json', Buffer.from('{"v":1,"records":[{}]}')), says: /does not hold what it should/ },
  'a gate that says something else': {
    edit: (files) => {
      for (const [name, data] of files) if (data.includes('"suite":"suite-1"')) files.set(name, Buffer.from(data.toString().replace('passed', 'failed')));
    },
    says: /have changed/,
  },
};

test.each(Object.entries(ATTACKS))('%s is named, and nothing is loaded', async (_name, { edit, says }) => {
  await using here = await sampleHome();
  await using there = await sampleHome();
  const { archive, web } = await saved(here);
  await edited(archive, (files) => edit(files, web));
  await expect(there.store.load(archive)).rejects.toMatchObject({ code: 'archive-invalid', message: expect.stringMatching(says) });
  await untouched(there);
});

test('whatever byte is changed or wherever it is cut, all is loaded or nothing, and what is loaded is whole', async () => {
  await using here = await sampleHome();
  const { archive } = await saved(here);
  const bytes = await readFile(archive);
  const changed = hostPath(join(here.home.root, 'changed.tar'));
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.option(fc.nat(bytes.length)), async (position, flip, length) => {
      await using there = await sampleHome();
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(position) ^ flip, position);
      await writeFile(changed, copy.subarray(0, length ?? copy.length));
      try {
        await there.store.load(changed);
      } catch (error) {
        expect(error).toMatchObject({ code: 'archive-invalid' });
        await untouched(there);
      }
      expect((await there.store.verify()).problems).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

// Torn at one effect is killed before the next.
test.each<Fault>(['torn', 'full'])(
  'load: %s at every effect leaves the store whole, scratch that is swept, and can be done again',
  { timeout: 60_000 },
  async (fault) => {
    await using here = await sampleHome();
    await using empty = await sampleHome();
    const web = await putSampleImage(here.store, here.home, 'web', ['latest']);
    const archive = hostPath(join(here.home.root, 'images.tar'));
    await here.store.save(['web'], archive, {});
    const faults = await atEveryEffect<SampleHome>(quickHost(), fault, {
      prepare: () => copyHome(empty),
      scenario: (host, at) => openStore(host, homeAt(at.home.root)).load(archive),
      check: async (at, { at: number, effect, error }) => {
        await using there = at;
        const about = `${fault} at effect ${number}: ${effect}`;
        if (fault === 'full') expect(toIngotError(error).class, about).toBe('space');
        else expect(error, about).toBeInstanceOf(Killed);
        if (fault === 'full') expect(await readdir(there.home.run), about).toEqual([]);
        await sweepScratch(there.host, there.home);
        expect(await readdir(there.home.run), about).toEqual([]);
        expect((await there.store.verify()).problems, about).toEqual([]);
        await there.store.load(archive);
        expect((await there.store.resolve('web')).digest, about).toBe(web.digest);
        expect((await there.store.verify()).problems, about).toEqual([]);
        const names = (await Promise.all([there.home.store, there.home.blobs, there.home.layers].map((folder) => readdir(folder)))).flat();
        expect(
          names.filter((name) => name.includes('.tmp')),
          about,
        ).toEqual([]);
      },
    });
    expect(faults).toBeGreaterThan(10);
  },
);

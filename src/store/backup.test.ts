import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { toIngotError } from '../base/errors.ts';
import { hostFiles } from '../base/files.ts';
import { homeAt } from '../base/home.ts';
import { sweepScratch } from '../base/scratch.ts';
import { hexOf, hostPath, type HostPath } from '../base/types.ts';
import { atEveryEffect, Killed, type Fault } from '../../tests/support/faulty-host.ts';
import {
  copyHome,
  putSampleImage,
  quickHost,
  recordsOf,
  removeSampleHomes,
  sampleGate,
  sampleHome,
  type SampleHome,
} from '../../tests/support/sample-images.ts';
import type { Image } from './model.ts';
import { openStore } from './store.ts';
import { readTar, TAR_END, tarHeader, tarPadding } from './tar.ts';

afterAll(removeSampleHomes);

interface Saved {
  readonly backup: HostPath;
  readonly archive: HostPath;
  readonly base: Image;
  readonly web: Image;
}

/** A store with a base and an image on it that passed its gate, an archive and a backup of them. */
async function saved(at: SampleHome): Promise<Saved> {
  const base = await putSampleImage(at.store, at.home, 'base', ['latest'], ['bootstrap']);
  const web = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1'], ['nginx'], await recordsOf(at.store, base));
  await at.store.addGate(web, sampleGate('passed'));
  await sweepScratch(at.host, at.home);
  const [backup, archive] = [hostPath(join(at.home.root, 'backup.tar')), hostPath(join(at.home.root, 'images.tar'))];
  await at.store.backup(backup);
  await at.store.save(['base', web.digest], archive, {});
  return { backup, archive, base, web };
}

async function loseIndex(at: SampleHome): Promise<void> {
  for (const name of ['index.json', 'index.copy.json']) await rm(join(at.home.store, name));
  await rm(at.home.layers, { recursive: true });
  await mkdir(at.home.layers);
}

/** The backup with some files changed. */
async function edited(path: HostPath, edit: (files: Map<string, Buffer>) => void): Promise<HostPath> {
  const bytes = await readFile(path);
  const files = new Map<string, Buffer>();
  for (const { name, size, position } of (await readTar(hostFiles, path)).values()) files.set(name, Buffer.from(bytes.subarray(position, position + size)));
  edit(files);
  await writeFile(path, Buffer.concat([...[...files].flatMap(([name, data]) => [tarHeader(name, data.length), data, tarPadding(data.length)]), TAR_END]));
  return path;
}

describe('backup and restore', () => {
  test('bring back index, tags, gates and layer records that were lost, without a layer in the file', async () => {
    await using at = await sampleHome();
    const { backup, web } = await saved(at);
    const names = [...(await readTar(hostFiles, backup)).keys()];
    for (const { digest } of web.layers) expect(names).not.toContain(`blobs/sha256/${hexOf(digest)}`);
    const [before, records] = [await at.store.list(), await recordsOf(at.store, web)];
    await loseIndex(at);
    expect(await at.store.list({ untagged: true })).toEqual([]);

    const said = await at.store.restore(backup, { dryRun: true });
    expect(await at.store.list({ untagged: true })).toEqual([]);
    expect(await at.store.restore(backup)).toEqual(said);
    expect(said).toMatchObject({ conflicts: [], left: [], statements: 1, records: { added: 2, left: 0 } });
    expect(said.images.map(({ added, isNew, missing }) => [added, isNew, missing])).toEqual([
      [['base:latest'], true, []],
      [['web:latest', 'web:v1'], true, []],
    ]);
    expect(await at.store.list()).toEqual(before);
    expect(await at.store.resolve('web')).toEqual({ ...web, gate: sampleGate('passed') });
    expect(await recordsOf(at.store, web)).toEqual(records);
    expect((await at.store.verify()).problems).toEqual([]);
    // Once more changes nothing.
    expect(await at.store.restore(backup)).toMatchObject({ statements: 0, records: { added: 0 }, images: [{ isNew: false, added: [] }, { added: [] }] });
    expect(await at.store.list()).toEqual(before);
    expect(await readdir(at.home.run)).toEqual([]);
  });

  test('on another machine, say which layers are missing; loading the images then makes them whole', async () => {
    await using here = await sampleHome();
    await using there = await sampleHome();
    const { backup, archive, base, web } = await saved(here);
    const [bottom, top] = web.layers.map(({ digest }) => digest);
    const restored = await there.store.restore(backup);
    expect(restored.images.map(({ missing, template }) => [missing, template])).toEqual([
      [[bottom], 'base'],
      [[bottom, top], 'web'],
    ]);
    expect(restored.records).toEqual({ added: 0, left: 2 });
    expect((await there.store.list()).map(({ name, tag, gate, damaged }) => [name, tag, gate, damaged?.slice(0, 17)])).toEqual([
      ['base', 'latest', 'not-run', '1 of its 1 layers'],
      ['web', 'latest', 'passed', '2 of its 2 layers'],
      ['web', 'v1', 'passed', '2 of its 2 layers'],
    ]);
    await expect(there.store.resolve('web')).rejects.toMatchObject({ code: 'image-damaged' });
    await there.store.load(archive);
    expect(await there.store.resolve('web')).toEqual({ ...web, gate: sampleGate('passed') });
    expect((await there.store.resolve('base')).digest).toBe(base.digest);
    expect((await there.store.verify()).problems).toEqual([]);
  });

  test('never move a tag of what was made since, unless by force, and say so', async () => {
    await using at = await sampleHome();
    const { backup, web } = await saved(at);
    const newer = await putSampleImage(at.store, at.home, 'web', ['latest']);
    await at.store.tag(web.digest, 'web:old');
    await at.store.remove('web:v1', new Map());
    const conflict = { reference: 'web:latest', here: newer.digest, backup: web.digest, hereIsNewer: true };
    expect(await at.store.restore(backup)).toMatchObject({ conflicts: [conflict], images: [{ added: [] }, { added: ['web:v1'] }] });
    expect((await at.store.resolve('web')).digest).toBe(newer.digest);
    expect((await at.store.resolve('web:v1')).digest).toBe(web.digest);
    expect(await at.store.restore(backup, { force: true })).toMatchObject({ conflicts: [conflict], images: [{ added: [] }, { added: ['web:latest'] }] });
    expect((await at.store.resolve('web')).digest).toBe(web.digest);
    expect((await at.store.resolve(newer.digest)).references).toEqual([]);
  });

  test('bring an image back that has no tag where its layers are here, and leave it where they are not', async () => {
    await using at = await sampleHome();
    await using there = await sampleHome();
    const { web } = await saved(at);
    await putSampleImage(at.store, at.home, 'web', ['latest', 'v1']);
    const backup = hostPath(join(at.home.root, 'second.tar'));
    expect(await at.store.backup(backup)).toMatchObject({ images: 3, references: 3, statements: 1 });
    expect((await there.store.restore(backup)).left).toEqual([web.digest]);
    await loseIndex(at);
    expect((await at.store.restore(backup)).left).toEqual([]);
    expect((await at.store.resolve(web.digest)).references).toEqual([]);
  });

  test('keep what is known here: a newer gate result, and the mark of damage', async () => {
    await using at = await sampleHome();
    const { backup, web } = await saved(at);
    await at.store.addGate(web, sampleGate('failed', '2026-02-01T12:00:00.000Z'));
    await at.host.files.setMode(at.home.blob(web.layers[1]!.digest), 0o644);
    await truncate(at.home.blob(web.layers[1]!.digest), 10);
    await at.store.verify(undefined, undefined, { repair: true });
    await at.store.remove('web:v1', new Map());
    expect(await at.store.restore(backup)).toMatchObject({ records: { added: 0, left: 1 } });
    for (const image of (await at.store.list()).filter(({ name }) => name === 'web'))
      expect(image).toMatchObject({ gate: 'failed', damaged: expect.any(String) });
  });

  test('--no-cache takes no records; the cache keeps what it knows', async () => {
    await using at = await sampleHome();
    const { backup, web } = await saved(at);
    await loseIndex(at);
    expect(await at.store.restore(backup, { cache: false })).toMatchObject({ records: { added: 0, left: 0 } });
    expect(await recordsOf(at.store, web)).toEqual([]);
  });

  test('what is damaged is named and not in the backup; an empty store has one too', async () => {
    await using at = await sampleHome();
    await using empty = await sampleHome();
    const { web } = await saved(at);
    await rm(at.home.blob(web.id));
    const backup = hostPath(join(at.home.root, 'second.tar'));
    const { images, statements, left } = await at.store.backup(backup);
    expect([images, statements]).toEqual([1, 0]);
    expect(left).toEqual([expect.stringMatching(/^web:latest: .*missing/), expect.stringMatching(/^web:v1: .*missing/)]);
    const nothing = hostPath(join(empty.home.root, 'backup.tar'));
    expect(await empty.store.backup(nothing)).toMatchObject({ images: 0, records: 0 });
    expect(await at.store.restore(nothing)).toMatchObject({ images: [], conflicts: [] });
    await expect(empty.store.backup(nothing)).rejects.toMatchObject({ code: 'file-exists' });
  });

  test('a backup is no archive, and an archive no backup', async () => {
    await using at = await sampleHome();
    const { backup, archive } = await saved(at);
    await expect(at.store.load(backup)).rejects.toMatchObject({ code: 'archive-invalid', message: expect.stringContaining('image restore') });
    await expect(at.store.restore(archive)).rejects.toMatchObject({ code: 'archive-invalid', message: expect.stringContaining('image load') });
    await expect(at.store.restore(at.home.root)).rejects.toMatchObject({ code: 'file-missing' });
  });
});

test('a record that tells of a layer what the layer does not is refused, with all the rest', async () => {
  await using at = await sampleHome();
  const { backup } = await saved(at);
  await loseIndex(at);
  for (const [from, to] of [
    ['"virtualSize":1048576', '"virtualSize":1048577'],
    [/"parent":"sha256:[0-9a-f]{64}",/, ''],
  ] as const) {
    const copy = hostPath(join(at.home.root, 'copy.tar'));
    await writeFile(copy, await readFile(backup));
    await edited(copy, (files) => files.set('ingot-layers.json', Buffer.from(files.get('ingot-layers.json')!.toString().replace(from, to))));
    await expect(at.store.restore(copy)).rejects.toMatchObject({ code: 'archive-invalid', message: expect.stringContaining('does not fit') });
    expect(await at.store.list({ untagged: true })).toEqual([]);
    expect(await readdir(at.home.layers)).toEqual([]);
  }
});

test('whatever byte is changed or wherever it is cut, all is restored or nothing, and the store is whole', { timeout: 60_000 }, async () => {
  await using lost = await sampleHome();
  const { backup } = await saved(lost);
  await loseIndex(lost);
  const bytes = await readFile(backup);
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.option(fc.nat(bytes.length)), async (position, flip, length) => {
      await using at = await copyHome(lost);
      const changed = hostPath(join(at.home.root, 'changed.tar'));
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(position) ^ flip, position);
      await writeFile(changed, copy.subarray(0, length ?? copy.length));
      try {
        await at.store.restore(changed);
      } catch (error) {
        expect(error).toMatchObject({ code: 'archive-invalid' });
        expect(await at.store.list({ untagged: true })).toEqual([]);
      }
      expect((await at.store.verify()).problems).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test.each<Fault>(['torn', 'full'])('restore: %s at every effect leaves the store whole, and can be done again', { timeout: 60_000 }, async (fault) => {
  await using lost = await sampleHome();
  const { backup, web } = await saved(lost);
  await loseIndex(lost);
  const faults = await atEveryEffect<SampleHome>(quickHost(), fault, {
    prepare: () => copyHome(lost),
    scenario: (host, at) => openStore(host, homeAt(at.home.root)).restore(backup),
    check: async (at, { at: number, effect, error }) => {
      await using there = at;
      const about = `${fault} at effect ${number}: ${effect}`;
      if (fault === 'full') expect(toIngotError(error).class, about).toBe('space');
      else expect(error, about).toBeInstanceOf(Killed);
      await sweepScratch(there.host, there.home);
      expect(await readdir(there.home.run), about).toEqual([]);
      expect((await there.store.verify()).problems, about).toEqual([]);
      await there.store.restore(backup);
      expect((await there.store.resolve('web')).digest, about).toBe(web.digest);
      expect((await there.store.verify()).problems, about).toEqual([]);
    },
  });
  expect(faults).toBeGreaterThan(5);
});

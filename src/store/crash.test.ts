import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { homeAt, type Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { hostPath, parseName, type Digest, type HostPath } from '../base/types.ts';
import { atEveryEffect, Killed, type Fault } from '../../tests/support/faulty-host.ts';
import {
  copyHome,
  putSampleImage,
  quickHost,
  reopen,
  sampleConfig,
  sampleGate,
  sampleHome,
  removeSampleHomes,
  sampleLayer,
  sampleLayerFile,
  type SampleHome,
} from '../../tests/support/sample-images.ts';
import type { Image, LayerRecord } from './model.ts';
import { openStore, type Store } from './store.ts';

afterAll(removeSampleHomes);

/*
 * Every operation that changes the store is killed, torn in a write, or out of space at each of its effects in turn. What is left must be
 * the old or the new state, verified byte by byte; the same operation, run again, must succeed; and nothing half-written may stay.
 */

const NOBODY: ReadonlyMap<Digest, readonly string[]> = new Map();

interface State {
  readonly at: SampleHome;
  /** The image that was there before: base and top, as old:latest and old:v1. */
  readonly old: Image;
  readonly base: LayerRecord;
  file: HostPath;
}

async function prepare(): Promise<State> {
  const at = await sampleHome();
  const old = await putSampleImage(at.store, at.home, 'old', ['latest', 'v1'], ['base', 'top']);
  await at.store.addGate(old, sampleGate('passed'));
  const base = await at.store.findLayer(old.config['dev.ingot.image'].layers[0]!.key);
  return { at, old, base: base!, file: await sampleLayerFile(at.home, base!.digest, 'new layer') };
}

/** The tests' operations; each can be run again after it was cut short. */
const OPERATIONS: Record<string, (store: Store, state: State) => Promise<unknown>> = {
  commitLayer: async (store, state) => {
    await store.commitLayer(state.file, sampleLayer('new', state.base.digest));
  },
  putImage: async (store, state) => {
    const layer =
      (await store.findLayer(sampleLayer('new', state.base.digest).key)) ?? (await store.commitLayer(state.file, sampleLayer('new', state.base.digest)));
    await store.putImage(sampleConfig([state.base, layer], 'old'), [state.base, layer], parseName('old', 'an image'), ['latest', 'v2']);
  },
  addGate: (store, state) => store.addGate(state.old, sampleGate('failed', '2026-05-05T05:05:05.000Z')),
  tag: (store) => store.tag('old', 'other:v9'),
  'remove a reference': (store) => store.remove('old:v1', NOBODY),
  'remove an image': (store, state) => store.remove(state.old.digest, NOBODY),
  prune: async (store, state) => {
    await store.prune(NOBODY, { layers: state.file !== undefined });
  },
};

const DONE: Record<string, (store: Store, state: State) => Promise<boolean>> = {
  commitLayer: async (store, state) => (await store.findLayer(sampleLayer('new', state.base.digest).key)) !== undefined,
  putImage: async (store, state) =>
    (await store.resolve('old:v2')).digest === (await store.resolve('old')).digest && (await store.resolve('old')).digest !== state.old.digest,
  addGate: async (store) => (await store.resolve('old')).gate?.result === 'failed' && (await store.list())[0]?.gate === 'failed',
  tag: async (store, state) => (await store.resolve('other:v9')).digest === state.old.digest,
  'remove a reference': async (store) => (await store.list()).map((one) => one.tag).join() === 'latest',
  'remove an image': async (store) => (await store.list({ untagged: true })).length === 0,
  prune: async (store) => (await store.list()).length === 2,
};

async function consistent(host: Host, home: Home, about: string): Promise<Store> {
  const store = openStore(host, homeAt(home.root));
  expect((await store.verify()).problems, about).toEqual([]);
  const references = (await store.list()).map((one) => `${one.name}:${one.tag}`);
  expect(new Set(references).size, about).toBe(references.length);
  for (const reference of references) await store.resolve(reference);
  return store;
}

async function leftovers(home: Home): Promise<string[]> {
  const names = await Promise.all([home.store, home.blobs, home.layers].map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))));
  return names.flat().filter((name) => name.includes('.tmp'));
}

describe.each(Object.keys(OPERATIONS))('%s', (name) => {
  const operation = OPERATIONS[name]!;
  const done = DONE[name]!;
  let first: State;
  /** Made once, and copied for every effect. The state for pruning has something to prune. */
  beforeAll(async () => {
    const state = await prepare();
    if (name === 'prune') {
      await putSampleImage(state.at.store, state.at.home, 'gone', ['latest'], ['gone']);
      await putSampleImage(state.at.store, state.at.home, 'gone', ['latest'], ['newer']);
      await state.at.store.remove('gone', NOBODY);
    }
    first = state;
  });
  afterAll(() => first.at[Symbol.asyncDispose]());
  const start = async (): Promise<State> => {
    const at = await copyHome(first.at);
    return { ...first, at, file: hostPath(join(at.home.root, relative(first.at.home.root, first.file))) };
  };

  // Torn at one effect is killed before the next, so one operation stands for the clean kill.
  test.each<Fault>(name === 'putImage' ? ['kill', 'torn', 'full'] : ['torn', 'full'])(
    '%s at every effect leaves the old or the new state, and can be done again',
    { timeout: 60_000 },
    async (fault) => {
      const faults = await atEveryEffect<State>(quickHost(), fault, {
        prepare: start,
        scenario: (host, state) => operation(openStore(host, homeAt(state.at.home.root)), state),
        check: async (state, { at, effect, error }) => {
          await using home = state.at;
          const about = `${fault} at effect ${at}: ${effect}`;
          if (fault === 'full') {
            expect(error, about).toBeInstanceOf(IngotError);
            expect(error, about).toMatchObject({
              class: 'space',
              code: 'store-full',
              message: expect.stringMatching(/No space left for \/.+: .* needed, .* free/),
            });
            expect(await leftovers(home.home), about).toEqual([]);
          } else expect(error, about).toBeInstanceOf(Killed);
          const store = await consistent(home.host, home.home, about);
          // The layer's file is part of what a new attempt makes anew.
          if ((await home.host.files.status(state.file)) === undefined) state.file = await sampleLayerFile(home.home, state.base.digest, 'new layer');
          if (!(await done(store, state).catch(() => false))) await operation(store, state);
          expect(await done(reopen(home.host, home.home.root), state), about).toBe(true);
          await consistent(home.host, home.home, about);
          await store.tag(name === 'remove an image' ? (await putSampleImage(store, home.home, 'last', ['latest'])).digest : 'old', 'last:one');
          expect(await leftovers(home.home), about).toEqual([]);
        },
      });
      expect(faults).toBeGreaterThan(1);
    },
  );
});

test('a full disk while a layer is taken in names the file and the bytes', async () => {
  await using at = await sampleHome();
  const file = await sampleLayerFile(at.home);
  const size = (await at.host.files.status(file))!.size;
  const host: Host = {
    ...at.host,
    files: { ...at.host.files, sync: async () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, fsync'), { code: 'ENOSPC' })) },
  };
  await expect(openStore(host, at.home).commitLayer(file, sampleLayer('a'))).rejects.toMatchObject({
    class: 'space',
    message: expect.stringContaining(file),
    detail: `bytes needed: ${size}`,
  });
  expect(await readdir(at.home.blobs)).toEqual([]);
  expect(await at.store.commitLayer(file, sampleLayer('a'))).toMatchObject({ size });
});

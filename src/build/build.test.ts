import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Event } from '../base/events.ts';
import { faultyHost } from '../../tests/support/faulty-host.ts';
import { fakeWork, sampleBuild, sampleContext, sampleOptions } from '../../tests/support/sample-builds.ts';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { buildImages, type ImageResult } from './build.ts';
import { imageGates } from './image-gate.ts';

const statuses = (results: readonly ImageResult[]): string[] => results.map(({ status }) => status);

describe('many images at once', { timeout: 60_000 }, () => {
  test('a layer that they share is made once; each image is stored, proven and tagged', async () => {
    await using at = await sampleHome();
    const work = fakeWork(at);
    const context = sampleContext(at);
    const builds = await Promise.all([
      sampleBuild('base', ['base']),
      sampleBuild('web', ['base', 'nginx', 'site']),
      sampleBuild('other', ['base', 'nginx']),
      sampleBuild('db', ['base', 'postgres']),
    ]);
    const results = await buildImages(context, builds, sampleOptions(context), work.parts);
    expect(statuses(results)).toEqual(['built', 'built', 'built', 'built']);
    expect(work.made.toSorted()).toEqual(['base', 'nginx', 'postgres', 'site']);
    const listed = await at.store.list();
    expect(listed.filter(({ tag }) => tag === 'latest').map(({ name, gate }) => `${name} ${gate}`)).toEqual([
      'base passed',
      'db passed',
      'other passed',
      'web passed',
    ]);
    expect((await at.store.resolve('web')).layers).toHaveLength(3);
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('what is cached takes no lock, writes nothing, and looks at each layer once', async () => {
    await using at = await sampleHome();
    const builds = await Promise.all(Array.from({ length: 12 }, (_, i) => sampleBuild(`image-${i}`, ['base', `layer ${i % 3}`, `own ${i}`])));
    const first = sampleContext(at);
    await buildImages(first, builds, sampleOptions(first), fakeWork(at).parts);
    const { host, log } = faultyHost(at.host, 0, 'kill');
    const reads: string[] = [];
    const files: typeof host.files = {
      ...host.files,
      read(path) {
        reads.push(path);
        return host.files.read(path);
      },
    };
    const context = { ...sampleContext(at), host: { ...host, files } };
    const never = fakeWork(at, () => Promise.reject(new Error('nothing is to be made')));
    const results = await buildImages(
      context,
      builds,
      sampleOptions(context, { observer: { onWork: () => Promise.reject(new Error('there is no work')) } }),
      never.parts,
    );
    expect(statuses(results)).toEqual(builds.map(() => 'cached'));
    expect(log).toEqual([]);
    const layers = reads.filter((path) => path.startsWith(at.home.layers));
    expect(layers.length).toBe(1 + 3 + 12);
    expect(reads.filter((path) => path.endsWith('index.json'))).toHaveLength(1);
  });

  test('one that fails stops no other: those that share its layer say so, the rest are built', async () => {
    await using at = await sampleHome();
    const context = sampleContext(at);
    const work = fakeWork(at, (layer) => (layer === 'broken' ? Promise.reject(new Error('the step failed')) : Promise.resolve()));
    const builds = await Promise.all([
      sampleBuild('good', ['base', 'fine']),
      sampleBuild('bad', ['base', 'broken']),
      sampleBuild('worse', ['base', 'broken', 'more']),
      sampleBuild('ungated', ['base'], 'failed'),
    ]);
    const heard: string[] = [];
    const observer = { onResult: (i: number, { status }: ImageResult) => heard.push(`${i} ${status}`) };
    const results = await buildImages(context, builds, sampleOptions(context, { observer }), work.parts);
    expect(statuses(results)).toEqual(['built', 'failed', 'skipped', 'failed']);
    expect(heard.toSorted()).toEqual(['0 built', '1 failed', '2 skipped', '3 failed']);
    expect(results[1]).toMatchObject({ error: { message: 'the step failed' } });
    expect(results[2]).toMatchObject({ stopped: false, why: 'it stands on the layer broken of bad, which failed' });
    expect(results[3]).toMatchObject({ error: { code: 'gate-failed' }, image: { references: [] } });
    // Again, with the cause gone: only what is missing is made.
    const again = fakeWork(at);
    const fixed = [...builds.slice(0, 3), await sampleBuild('ungated', ['base'])];
    expect(statuses(await buildImages(context, fixed, sampleOptions(context), again.parts))).toEqual(['cached', 'built', 'built', 'cached']);
    expect(again.made).toEqual(['broken', 'more']);
  });

  test('an image that failed its gate gets no tag where the gate is switched off', async () => {
    await using at = await sampleHome();
    const context = sampleContext(at);
    await buildImages(context, [await sampleBuild('bad', ['base'], 'failed')], sampleOptions(context), fakeWork(at).parts);
    const ungated = { ...(await sampleBuild('bad', ['base'])), gate: imageGates('none')([]) };
    const [result] = await buildImages(context, [ungated], sampleOptions(context), fakeWork(at).parts);
    expect(result).toMatchObject({ status: 'failed', error: { code: 'gate-failed' } });
    expect(await at.store.list()).toEqual([]);
    const [fresh] = await buildImages(
      context,
      [{ ...(await sampleBuild('new', ['base', 'own'])), gate: imageGates('none')([]) }],
      sampleOptions(context),
      fakeWork(at).parts,
    );
    expect(fresh).toMatchObject({ status: 'built', gate: { result: 'not-run' } });
  });

  test('is stopped by the signal: nothing new starts, what was finished stays', async () => {
    await using at = await sampleHome();
    const stop = new AbortController();
    const context = sampleContext(at, () => undefined, stop.signal);
    const work = fakeWork(at, async (layer, signal) => {
      if (layer === 'second') stop.abort();
      signal.throwIfAborted();
    });
    const builds = await Promise.all([sampleBuild('one', ['base', 'second', 'third']), sampleBuild('two', ['base', 'fourth'])]);
    const results = await buildImages(context, builds, sampleOptions(context, { jobs: 1 }), work.parts);
    expect(results.map((result) => result.status === 'skipped' && result.stopped)).toEqual([true, true]);
    expect(work.made).toEqual(['base']);
    const after = sampleContext(at);
    const rest = fakeWork(at);
    expect(statuses(await buildImages(after, builds, sampleOptions(after), rest.parts))).toEqual(['built', 'built']);
    expect(rest.made.toSorted()).toEqual(['fourth', 'second', 'third']);
  });

  test('one image is taken back alone; a layer that another needs is made nevertheless', async () => {
    await using at = await sampleHome();
    const context = sampleContext(at);
    const stop = new AbortController();
    const work = fakeWork(at, async (layer) => (layer === 'base' ? stop.abort() : undefined));
    const builds = [{ ...(await sampleBuild('gone', ['base', 'own'])), signal: stop.signal }, await sampleBuild('stays', ['base', 'other'])];
    const results = await buildImages(context, builds, sampleOptions(context, { jobs: 1 }), work.parts);
    expect(statuses(results)).toEqual(['skipped', 'built']);
    expect(work.made).toEqual(['base', 'other']);
  });

  test('any mixture: every layer is made at most once, never more at a time than asked, and results tell the truth', async () => {
    const names = fc.array(fc.constantFrom<string>('a', 'b', 'c'), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(names, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom('b', 'none'),
        async (chains, jobs, bad) => {
          await using at = await sampleHome();
          const context = sampleContext(at);
          const work = fakeWork(at, async (layer) => {
            if (layer === bad) throw new Error('bad');
          });
          const builds = await Promise.all(chains.map((layers, i) => sampleBuild(`image-${i}`, layers)));
          const results = await buildImages(context, builds, sampleOptions(context, { jobs }), work.parts);
          const prefixes = new Set(
            chains.flatMap((layers) =>
              layers
                .map((_, i) => layers.slice(0, i + 1))
                .filter((prefix) => !prefix.includes(bad))
                .map(String),
            ),
          );
          expect(work.made.length).toBe(prefixes.size);
          expect(work.most()).toBeLessThanOrEqual(jobs);
          results.forEach((result, i) => {
            const good = !(chains[i] ?? []).includes(bad);
            expect(good ? ['built', 'cached'] : ['failed', 'skipped']).toContain(result.status);
            if (result.status === 'built') expect(result.layers.map(({ name }) => name)).toEqual(chains[i]);
          });
          expect((await at.store.list()).filter(({ tag }) => tag === 'latest')).toHaveLength(
            results.filter(({ status }) => status === 'built' || status === 'cached').length,
          );
        },
      ),
      { numRuns: 15 },
    );
  });

  test('two images of one name are refused before anything begins', async () => {
    await using at = await sampleHome();
    const context = sampleContext(at);
    const builds = [await sampleBuild('web', ['base']), await sampleBuild('web', ['base', 'more'])];
    await expect(buildImages(context, builds, sampleOptions(context), fakeWork(at).parts)).rejects.toMatchObject({ code: 'names-collide' });
  });

  test('tells how far all are, and marks what each event is about', async () => {
    await using at = await sampleHome();
    const events: Event[] = [];
    const heard: number[][] = [[], []];
    const context = sampleContext(at, (event) => events.push(event));
    const builds = await Promise.all([sampleBuild('one', ['base', 'a']), sampleBuild('two', ['base', 'b'])]);
    const times = { seconds: () => 10, learn: () => undefined };
    await buildImages(
      context,
      builds,
      sampleOptions(context, { jobs: 1, times, observer: { onEvent: (i, event) => heard[i]?.push(event.seq) } }),
      fakeWork(at).parts,
    );
    const scopes = events.flatMap((event) => (event.type === 'span-start' ? [`${event.scope} ${event.label}`] : []));
    expect(scopes).toEqual(['one +1 base', 'one a', 'two b']);
    const fleet = events.filter((event) => event.type === 'fleet');
    expect(fleet[0]).toMatchObject({ running: 1, waiting: 1, built: 0, secondsLeft: 50 });
    expect(fleet.at(-1)).toMatchObject({ running: 0, waiting: 0, built: 2, secondsLeft: 0 });
    const own = (label: string): number => events.find((event) => event.type === 'span-start' && event.label === label)?.seq ?? -1;
    expect(heard.map((seqs) => ['base', 'a', 'b'].filter((label) => seqs.includes(own(label))))).toEqual([
      ['base', 'a'],
      ['base', 'b'],
    ]);
  });
});

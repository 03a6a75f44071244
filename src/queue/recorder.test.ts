import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { buildLogs } from '../build/build-log.ts';
import { buildImages, type ImageBuild, type ImageResult } from '../build/build.ts';
import { fakeWork, sampleBuild, sampleContext, sampleOptions, type FakeWork } from '../../tests/support/sample-builds.ts';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import type { NewJob } from './job.ts';
import { Queue } from './queue.ts';
import { BuildRecorder } from './recorder.ts';

function jobs(builds: readonly ImageBuild[]): NewJob[] {
  return builds.map(({ plan }) => ({
    name: plan.template.name,
    request: { template: plan.template.name, variables: {}, roles: [], packages: [] },
    flags: '{}',
    folder: '',
  }));
}

/** Builds as `ingot build` does, recorded. */
async function build(at: SampleHome, builds: readonly ImageBuild[], work: FakeWork, signal?: AbortSignal): Promise<ImageResult[]> {
  const context = sampleContext(at, () => undefined, signal);
  await using recorder = new BuildRecorder(context, { jobs: jobs(builds) });
  const stoppable = builds.map((each, i) => {
    const own = recorder.signalOf(i);
    return own === undefined ? each : { ...each, signal: own };
  });
  return await buildImages(context, stoppable, sampleOptions(context, { observer: recorder.observer, times: recorder.times }), work.parts);
}

async function logOf(at: SampleHome, name: string): Promise<string> {
  const [path = ''] = await buildLogs(at.host, at.home, name);
  return await readFile(path, 'utf8');
}

describe('a recorded build', { timeout: 60_000 }, () => {
  test('is a job for each image that needs work, with a log that holds the layers which it shares', async () => {
    await using at = await sampleHome();
    const builds = [await sampleBuild('one', ['base', 'a']), await sampleBuild('two', ['base', 'bad']), await sampleBuild('three', ['base', 'bad', 'more'])];
    const work = fakeWork(at, (layer) => (layer === 'bad' ? Promise.reject(new Error('the step failed')) : Promise.resolve()));
    await build(at, builds, work);
    using queue = await Queue.open(at.host, at.home);
    expect(queue.list({ all: true }).map(({ name, state, outcome, error }) => [name, state, outcome ?? error])).toEqual([
      ['one', 'done', 'built'],
      ['two', 'failed', 'the step failed'],
      ['three', 'failed', 'it stands on the layer bad of two, which failed'],
    ]);
    for (const name of ['one', 'two', 'three']) expect(await logOf(at, name)).toContain('"label":"base"');
    expect(await logOf(at, 'one')).not.toContain('"label":"bad"');
    expect((await logOf(at, 'two')).trimEnd().split('\n').at(-1)).toContain('"type":"result","status":"failed"');
    expect(queue.times().map(({ kind, name }) => `${kind} ${name}`)).toEqual(['bootstrap base', 'copy a', 'gate sample debian-12', 'image one']);
  });

  test('where all is cached opens no queue and writes no log', async () => {
    await using at = await sampleHome();
    const builds = [await sampleBuild('one', ['base'])];
    const context = sampleContext(at);
    await buildImages(context, builds, sampleOptions(context), fakeWork(at).parts);
    expect((await build(at, builds, fakeWork(at)))[0]?.status).toBe('cached');
    expect(await at.host.files.status(at.home.queue)).toBeUndefined();
    expect(await buildLogs(at.host, at.home, 'one')).toEqual([]);
  });

  test('is stopped through the queue: that image alone', async () => {
    await using at = await sampleHome();
    const builds = [await sampleBuild('gone', ['base', 'long']), await sampleBuild('stays', ['base', 'short'])];
    const work = fakeWork(at, async (layer, signal) => {
      if (layer !== 'long') return;
      using queue = await Queue.open(at.host, at.home);
      expect(queue.cancel(1)).toBe('asked');
      await sleep(30_000, undefined, { signal });
    });
    const results = await build(at, builds, work);
    expect(results.map(({ status }) => status)).toEqual(['skipped', 'built']);
    using queue = await Queue.open(at.host, at.home);
    expect(queue.list({ all: true }).map(({ name, state }) => `${name} ${state}`)).toEqual(['gone cancelled', 'stays done']);
  });

  test('that is stopped with Ctrl-C leaves jobs that can be tried again, and no lock', async () => {
    await using at = await sampleHome();
    const stop = new AbortController();
    const work = fakeWork(at, async () => stop.abort());
    await build(at, [await sampleBuild('one', ['base', 'a'])], work, stop.signal);
    using queue = await Queue.open(at.host, at.home);
    expect(queue.list({ all: false }).map(({ state }) => state)).toEqual(['interrupted']);
    expect((await at.host.files.list(at.home.locks)).filter((name) => name.startsWith('queue-'))).toEqual([]);
  });

  test('goes on without the queue where that cannot be used', async () => {
    await using at = await sampleHome();
    await at.host.files.write(at.home.queue, 'no database, but long enough to look at: '.repeat(50));
    expect((await build(at, [await sampleBuild('one', ['base'])], fakeWork(at)))[0]?.status).toBe('built');
  });
});

import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { queueSeconds } from './estimate.ts';
import type { NewJob } from './job.ts';
import { Queue } from './queue.ts';
import { takeOwner } from './recorder.ts';

const WORKER = join(import.meta.dirname, '..', '..', 'tests', 'support', 'queue-worker.ts');

function job(name: string, flags = '{}'): NewJob {
  return { name, request: { template: `/templates/${name}.yaml`, variables: {}, roles: [], packages: [] }, flags, folder: '/templates' };
}

const owner = (at: SampleHome) => takeOwner({ host: at.host, home: at.home, signal: new AbortController().signal }, 'a test');
const states = (queue: Queue): string[] => queue.list({ all: true }).map(({ name, state }) => `${name} ${state}`);

interface Worker {
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<unknown>;
}

/** Another process that works the queue; each job takes it so many milliseconds. */
function startWorker(at: SampleHome, milliseconds: number): Worker {
  const child = spawn(process.execPath, [WORKER, at.home.root, String(milliseconds)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  child.stdout.on('data', (data: Buffer) => lines.push(...data.toString().trim().split('\n')));
  return { process: child, lines, ended: new Promise((resolve) => child.on('exit', resolve)) };
}

async function until(what: () => boolean): Promise<void> {
  for (let left = 500; !what(); left -= 1) {
    if (left === 0) throw new Error('waited in vain');
    await sleep(20);
  }
}

describe('the queue', { timeout: 60_000 }, () => {
  test('jobs wait, are taken, end, and are remembered', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    expect((await stat(at.home.queue)).mode & 0o777).toBe(0o600);
    const ids = queue.add([job('a'), job('b'), job('other', '{"offline":true}')]);
    await using one = await owner(at);
    await using two = await owner(at);
    // What was asked for in the same way is built together.
    expect(queue.claim(one).map(({ id, request }) => [id, request.template])).toEqual([
      [ids[0], '/templates/a.yaml'],
      [ids[1], '/templates/b.yaml'],
    ]);
    expect(queue.claim(two).map(({ name }) => name)).toEqual(['other']);
    expect(queue.claim(one)).toEqual([]);
    queue.finish(ids[0] ?? 0, one, { state: 'done', outcome: 'built', seconds: 12 });
    queue.finish(ids[1] ?? 0, one, { state: 'failed', seconds: 3, errorCode: 'step-failed', error: 'The step failed' });
    queue.finish(ids[2] ?? 0, one, { state: 'done', seconds: 1 });
    expect(states(queue)).toEqual(['a done', 'b failed', 'other running']);
    queue.putBack([ids[2] ?? 0], two);
    expect(states(queue)).toEqual(['a done', 'b failed', 'other queued']);
    expect(queue.list({ all: false }).map(({ name }) => name)).toEqual(['b', 'other']);
    expect(queue.find(ids[1] ?? 0)).toMatchObject({ error_code: 'step-failed', error: 'The step failed', tries: 1, seconds: 3 });
    // A later build of the same image that succeeds makes the failure history.
    queue.finish(queue.add([job('b')], one)[0] ?? 0, one, { state: 'done', seconds: 2 });
    expect(queue.list({ all: false }).map(({ name }) => name)).toEqual(['other']);
  });

  test('what waits is cancelled at once, what runs is asked, what ended can be tried again', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    await using mine = await owner(at);
    const [first = 0] = queue.add([job('first')]);
    queue.claim(mine);
    const [second = 0] = queue.add([job('second')]);
    expect([queue.cancel(second), queue.cancel(first), queue.cancel(999)]).toEqual(['cancelled', 'asked', 'unknown']);
    expect(queue.cancelled(mine)).toEqual([first]);
    queue.finish(first, mine, { state: 'cancelled', seconds: 1 });
    expect(queue.cancel(first)).toBe('over');
    expect([queue.retry(first), queue.retry(first), queue.retry(999)]).toEqual(['queued', 'waiting', 'unknown']);
    expect(queue.claim(mine).map(({ id, cancel, tries }) => [id, cancel, tries])).toEqual([[first, false, 2]]);
  });

  test('a worker that is killed leaves its jobs as interrupted; they are tried again and built, and nothing stays behind', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    queue.add(['a', 'b', 'c', 'd'].map((name) => job(name)));
    const killed = startWorker(at, 150);
    await until(() => killed.lines.includes('done 1'));
    expect(states(queue).filter((text) => text.endsWith('running')).length).toBeGreaterThan(0);
    killed.process.kill('SIGKILL');
    await killed.ended;
    await queue.markInterrupted();
    const after = states(queue);
    expect(after[0]).toBe('a done');
    expect(after.at(-1)).toBe('d interrupted');
    for (const { id, state } of queue.list({ all: true })) if (state === 'interrupted') expect(queue.retry(id)).toBe('queued');
    const second = startWorker(at, 1);
    await second.ended;
    expect(states(queue)).toEqual(['a done', 'b done', 'c done', 'd done']);
    expect((await readdir(at.home.locks)).filter((name) => name.startsWith('queue-'))).toEqual([]);
  });

  test('the locks of processes that were killed without a job go after a while; those that are held, or new, stay', async () => {
    await using at = await sampleHome();
    await using mine = await owner(at);
    for (const name of ['queue-0a.lock', 'queue-0a.lock.owner', 'queue-0b.lock', 'store.lock']) await writeFile(join(at.home.locks, name), '');
    const old = new Date(Date.now() - 3_600_000);
    for (const name of ['queue-0a.lock', 'store.lock', `${mine.lock}.lock`]) await utimes(join(at.home.locks, name), old, old);
    (await Queue.open(at.host, at.home))[Symbol.dispose]();
    expect((await readdir(at.home.locks)).filter((name) => !name.endsWith('-journal'))).toEqual(
      ['queue-0b.lock', `${mine.lock}.lock`, `${mine.lock}.lock.owner`, 'store.lock'].toSorted(),
    );
  });

  test('several workers take each job once', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    queue.add(Array.from({ length: 30 }, (_, i) => job(`image-${i}`, `{"n":${i % 10}}`)));
    const workers = [startWorker(at, 2), startWorker(at, 2), startWorker(at, 2)];
    await Promise.all(workers.map(({ ended }) => ended));
    const taken = workers.flatMap(({ lines }) => lines.filter((line) => line.startsWith('took')));
    expect(taken).toHaveLength(30);
    expect(new Set(taken).size).toBe(30);
    expect(states(queue).every((text) => text.endsWith('done'))).toBe(true);
  });

  test('a job of another process is stopped through the database', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    queue.add([job('a'), job('b')]);
    const worker = startWorker(at, 200);
    await until(() => worker.lines.includes('took 2'));
    expect(queue.cancel(2)).toBe('asked');
    await worker.ended;
    expect(states(queue)).toEqual(['a done', 'b cancelled']);
  });

  test('refuses what a newer ingot made, and what is no database', async () => {
    await using at = await sampleHome();
    (await Queue.open(at.host, at.home))[Symbol.dispose]();
    const database = new DatabaseSync(at.home.queue);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await expect(Queue.open(at.host, at.home)).rejects.toMatchObject({ code: 'queue-newer' });
    await using other = await sampleHome();
    await writeFile(other.home.queue, 'this is no database, but it is long enough to look like one'.repeat(20));
    await expect(Queue.open(other.host, other.home)).rejects.toMatchObject({ code: 'queue-damaged' });
  });

  test('any order of commands: a job is in one state, and only a job that ended can wait again', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    await using mine = await owner(at);
    const command = fc.tuple(fc.constantFrom('claim', 'finish', 'fail', 'cancel', 'retry', 'back'), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const ids = queue.add([job('a'), job('b'), job('c')]);
        const model = new Map(ids.map((id) => [id, 'queued']));
        const claimAll = (): void => {
          queue.claim(mine);
          for (const [id, state] of model) if (state === 'queued') model.set(id, 'running');
        };
        for (const [what, n] of commands) {
          const id = ids[n - 1] ?? 0;
          const state = model.get(id) ?? '';
          if (what === 'claim') claimAll();
          if (what === 'finish' || what === 'fail') {
            queue.finish(id, mine, { state: what === 'finish' ? 'done' : 'failed', seconds: 1 });
            if (state === 'running') model.set(id, what === 'finish' ? 'done' : 'failed');
          }
          if (what === 'cancel') {
            expect(queue.cancel(id)).toBe(state === 'queued' ? 'cancelled' : state === 'running' ? 'asked' : 'over');
            if (state === 'queued') model.set(id, 'cancelled');
          }
          if (what === 'retry') {
            expect(queue.retry(id)).toBe(state === 'queued' || state === 'running' ? 'waiting' : 'queued');
            if (state !== 'queued' && state !== 'running') model.set(id, 'queued');
          }
          if (what === 'back') {
            queue.putBack([id], mine);
            if (state === 'running') model.set(id, 'queued');
          }
          for (const [each, expected] of model) expect(queue.find(each)?.state).toBe(expected);
        }
        claimAll();
        for (const id of ids) queue.finish(id, mine, { state: 'done', seconds: 1 });
      }),
      { numRuns: 30 },
    );
  });

  test('times: the newest counts half', async () => {
    await using at = await sampleHome();
    using queue = await Queue.open(at.host, at.home);
    queue.learn('packages', 'packages', 10);
    queue.learn('packages', 'packages', 20);
    queue.learn('gate quick', 'debian-12', 90);
    expect(queue.times()).toEqual([
      { kind: 'gate quick', name: 'debian-12', seconds: 90 },
      { kind: 'packages', name: 'packages', seconds: 15 },
    ]);
  });
});

test('what is left of a queue: the sum on all workers, never less than the longest, and unknown where something was never built', () => {
  const times = new Map([
    ['a', 60],
    ['b', 40],
  ]);
  const jobs = [
    { name: 'a', state: 'running', seconds: 20 },
    { name: 'b', state: 'queued' },
    { name: 'x', state: 'failed' },
  ];
  expect([queueSeconds(jobs, times, 1), queueSeconds(jobs, times, 4), queueSeconds([], times, 2)]).toEqual([80, 40, 0]);
  expect(queueSeconds([...jobs, { name: 'new', state: 'queued' }], times, 2)).toBeUndefined();
});

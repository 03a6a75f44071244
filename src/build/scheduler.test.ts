import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainSeconds, remainingSeconds, runTasks, type SchedulerOptions, type Task, type TaskResult } from './scheduler.ts';

interface Shape {
  readonly after: readonly number[];
  readonly cpus: number;
  readonly memory: number;
  readonly disk: number;
  readonly seconds: number;
  /** Turns of the event loop that it runs. */
  readonly turns: number;
  readonly fails: boolean;
}

const shapes = fc
  .array(
    fc.record({
      after: fc.array(fc.nat(20), { maxLength: 3 }),
      cpus: fc.integer({ min: 0, max: 3 }),
      memory: fc.nat(12),
      disk: fc.nat(12),
      seconds: fc.nat(100),
      turns: fc.nat(4),
      fails: fc.boolean(),
    }),
    { maxLength: 25 },
  )
  // A task stands on earlier ones only, so there is no circle.
  .map((all) => all.map((shape, i): Shape => ({ ...shape, fails: shape.fails && i % 3 === 0, after: i === 0 ? [] : shape.after.map((n) => n % i) })));
const limits = fc.record({ jobs: fc.integer({ min: 1, max: 5 }), cpus: fc.integer({ min: 1, max: 4 }), memory: fc.nat(16), disk: fc.nat(16) });
type Limits = Pick<Shape, 'cpus' | 'memory' | 'disk'> & { readonly jobs: number };

interface Seen {
  readonly results: Map<string, TaskResult<string>>;
  readonly starts: string[];
  readonly ended: string[];
  readonly problems: string[];
}

async function play(
  all: readonly Shape[],
  limit: Limits,
  options: Partial<SchedulerOptions<string>> = {},
  onTurn: (started: number) => void = () => undefined,
) {
  const running = new Set<number>();
  const slots = new Set<number>();
  const seen: Omit<Seen, 'results'> = { starts: [], ended: [], problems: [] };
  const sum = (what: 'cpus' | 'memory' | 'disk'): number => [...running].reduce((total, i) => total + (all[i]?.[what] ?? 0), 0);
  const tasks = all.map((shape, i): Task<string> => ({
    id: `t${i}`,
    after: [...new Set(shape.after)].map((n) => `t${n}`),
    needs: shape,
    seconds: shape.seconds,
    async run({ slot, signal }) {
      running.add(i);
      seen.starts.push(`t${i}`);
      if (slot >= limit.jobs || slots.has(slot)) seen.problems.push(`t${i} got the slot ${slot}`);
      slots.add(slot);
      if (running.size > limit.jobs) seen.problems.push('more than the jobs');
      for (const what of ['cpus', 'memory', 'disk'] as const) if (running.size > 1 && sum(what) > limit[what]) seen.problems.push(`more ${what} than there is`);
      for (const n of shape.after) if (!seen.ended.includes(`t${n}`)) seen.problems.push(`t${i} began before t${n} was done`);
      try {
        onTurn(seen.starts.length);
        for (let left = shape.turns; left > 0; left -= 1) {
          await turn();
          signal.throwIfAborted();
        }
        if (shape.fails) throw new Error(`t${i} failed`);
        return `value of t${i}`;
      } finally {
        running.delete(i);
        slots.delete(slot);
      }
    },
  }));
  const results = await runTasks(tasks, {
    jobs: limit.jobs,
    cpus: limit.cpus,
    // What is free is less by what runs has taken, as on a real machine.
    free: () => ({ memory: limit.memory - sum('memory'), disk: limit.disk - sum('disk') }),
    clock: { sleep: () => turn() },
    signal: new AbortController().signal,
    onEnd: (task) => seen.ended.push(task.id),
    ...options,
  });
  return { ...seen, results, tasks };
}

/** The tasks below one, itself included. */
function below(all: readonly Shape[], i: number): Set<number> {
  const found = new Set([i]);
  for (const n of found) for (const next of all[n]?.after ?? []) found.add(next);
  return found;
}

describe('a scheduler', () => {
  test('keeps all limits, runs every task once and after what it stands on, and ends; a failure stops only what stands on it', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, limits, async (all, limit) => {
        const { results, starts, ended, problems } = await play(all, limit);
        expect(problems).toEqual([]);
        expect(new Set(starts).size).toBe(starts.length);
        expect(ended.toSorted()).toEqual(all.map((_, i) => `t${i}`).toSorted());
        all.forEach((shape, i) => {
          const failing = [...below(all, i)].filter((n) => n !== i && all[n]?.fails === true);
          const result = results.get(`t${i}`);
          if (failing.length > 0) expect(result).toMatchObject({ status: 'skipped', cause: expect.stringMatching(/^t\d+$/) });
          else expect(result).toMatchObject(shape.fails ? { status: 'failed' } : { status: 'done', value: `value of t${i}` });
          if (result?.status === 'skipped') expect(failing.map((n) => `t${n}`)).toContain(result.cause);
        });
      }),
    );
  });

  test('stops: nothing starts after the signal, and each task has a result', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, limits, fc.nat(10), async (all, limit, when) => {
        const stop = new AbortController();
        let atStop = Infinity;
        const { results, starts } = await play(all, limit, { signal: stop.signal }, (started) => {
          if (started <= when || stop.signal.aborted) return;
          atStop = started;
          stop.abort();
        });
        expect(starts.length).toBeLessThanOrEqual(atStop);
        expect(results.size).toBe(all.length);
        if (!stop.signal.aborted) return;
        for (const [id, result] of results) if (!starts.includes(id)) expect(['stopped', 'skipped']).toContain(result.status);
      }),
    );
  });

  test('begins with the longest chain, and takes what is left for others', async () => {
    const base: Omit<Shape, 'after' | 'seconds'> = { cpus: 1, memory: 1, disk: 1, turns: 1, fails: false };
    const all: Shape[] = [
      { ...base, after: [], seconds: 5 },
      { ...base, after: [], seconds: 1 },
      { ...base, after: [1], seconds: 10 },
      { ...base, after: [], seconds: 7 },
    ];
    const { starts } = await play(all, { jobs: 1, cpus: 1, memory: 10, disk: 10 });
    expect(starts).toEqual(['t1', 't2', 't3', 't0']);
  });

  test('says what a task waits for, runs one that is too big alone, and looks again when something is freed', async () => {
    const base: Omit<Shape, 'memory'> = { after: [], cpus: 1, disk: 1, turns: 3, fails: false, seconds: 1 };
    const waits: string[] = [];
    const all = [
      { ...base, memory: 2 },
      { ...base, memory: 99 },
      { ...base, memory: 2, disk: 9 },
    ];
    const { problems, results } = await play(
      all,
      { jobs: 3, cpus: 3, memory: 4, disk: 5 },
      { onWait: (task, { what, needed, free }) => waits.push(`${task.id} needs ${needed} ${what} of ${free}`) },
    );
    expect(waits.slice(0, 2)).toEqual(['t1 needs 99 memory of 2', 't2 needs 9 disk of 4']);
    expect(problems).toEqual([]);
    expect([...results.values()].every((result) => result.status === 'done')).toBe(true);
  });

  test('looks again while it waits: what others give back lets a task start although none of ours has ended', async () => {
    const order: string[] = [];
    const task = (id: string, turns: number): Task<void> => ({
      id,
      after: [],
      needs: { cpus: 1, memory: 2, disk: 0 },
      seconds: turns,
      async run() {
        order.push(`${id} starts`);
        for (let i = 0; i < turns; i += 1) await turn();
        order.push(`${id} ends`);
      },
    });
    let looks = 0;
    await runTasks([task('long', 50), task('short', 1)], {
      jobs: 2,
      cpus: 2,
      free: () => ({ memory: (looks += 1) < 3 ? 1 : 10, disk: 10 }),
      clock: { sleep: () => turn() },
      signal: new AbortController().signal,
    });
    expect(order).toEqual(['long starts', 'short starts', 'short ends', 'long ends']);
  });

  test('takes back one task alone, before it starts and while it runs', async () => {
    const [before, during] = [new AbortController(), new AbortController()];
    before.abort();
    const task = (id: string, after: string[], signal?: AbortSignal): Task<string> => ({
      id,
      after,
      needs: { cpus: 1, memory: 0, disk: 0 },
      seconds: 1,
      ...(signal === undefined ? {} : { signal }),
      async run(run) {
        if (id === 'during') during.abort();
        await turn();
        run.signal.throwIfAborted();
        return id;
      },
    });
    const tasks = [task('before', [], before.signal), task('during', [], during.signal), task('above', ['during']), task('free', [])];
    const results = await runTasks(tasks, {
      jobs: 2,
      cpus: 2,
      free: () => ({ memory: 1, disk: 1 }),
      clock: { sleep: () => turn() },
      signal: new AbortController().signal,
    });
    expect(Object.fromEntries([...results].map(([id, { status }]) => [id, status]))).toEqual({
      before: 'stopped',
      during: 'stopped',
      above: 'skipped',
      free: 'done',
    });
  });

  test('refuses a circle and unknown tasks before anything starts', async () => {
    const task = (id: string, after: string[]): Task<void> => ({
      id,
      after,
      needs: { cpus: 1, memory: 0, disk: 0 },
      seconds: 1,
      run: () => Promise.reject(new Error('ran')),
    });
    const run = (tasks: Task<void>[]) =>
      runTasks(tasks, { jobs: 1, cpus: 1, free: () => ({ memory: 1, disk: 1 }), clock: { sleep: () => turn() }, signal: new AbortController().signal });
    await expect(run([task('a', ['b']), task('b', ['a'])])).rejects.toThrow('circle');
    await expect(run([task('a', ['c'])])).rejects.toThrow('no task');
    await expect(run([task('a', []), task('a', [])])).rejects.toThrow('same identifier');
  });
});

test('what remains is never less than the longest chain, nor than the work on all workers', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 8 }), (all, workers) => {
      const tasks = all.map((shape, i) => ({ id: `t${i}`, after: [...new Set(shape.after)].map((n) => `t${n}`), seconds: shape.seconds }));
      const chains = chainSeconds(tasks);
      tasks.forEach((task) => task.after.forEach((id) => expect(chains.get(id) ?? 0).toBeGreaterThanOrEqual(chains.get(task.id) ?? 0)));
      const remaining = remainingSeconds(tasks, workers);
      expect(remaining).toBeGreaterThanOrEqual(Math.max(0, ...chains.values()));
      expect(remaining).toBeLessThanOrEqual(tasks.reduce((sum, task) => sum + task.seconds, 0));
    }),
  );
});

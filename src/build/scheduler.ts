import type { Clock } from '../base/host.ts';

/** What a task takes while it runs. */
export interface Needs {
  /** Processors; every task also takes one of the `jobs`. */
  readonly cpus: number;
  /** Bytes of memory. */
  readonly memory: number;
  /** Bytes of free disk. */
  readonly disk: number;
}

/** What is free for tasks in bytes, besides what tasks that run have been promised. */
export interface FreeSpace {
  readonly memory: number;
  readonly disk: number;
}

export interface Task<T> {
  readonly id: string;
  /** Identifiers of the tasks that have to be done before. */
  readonly after: readonly string[];
  readonly needs: Needs;
  /** How long it will take, in seconds, as far as one knows: what starts a longer chain goes first. */
  readonly seconds: number;
  /** Takes back this task alone. */
  readonly signal?: AbortSignal;
  /** `slot` counts from 0, below `jobs`, and is this task's alone while it runs. */
  run(run: TaskRun): Promise<T>;
}

export interface TaskRun {
  readonly slot: number;
  /** Fires when the task, or everything, is to stop. */
  readonly signal: AbortSignal;
}

export type TaskResult<T> =
  | { readonly status: 'done'; readonly value: T }
  | { readonly status: 'failed'; readonly error: unknown }
  /** Not started, since what it stands on failed or was stopped: `cause` is the task where that began. */
  | { readonly status: 'skipped'; readonly cause: string }
  /** Stopped, or not started because all is to stop. */
  | { readonly status: 'stopped' };

/** Why a task that could run otherwise does not start. */
export type Scarcity = { readonly what: 'memory' | 'disk'; readonly needed: number; readonly free: number };

export interface SchedulerOptions<T, K extends Task<T> = Task<T>> {
  /** How many tasks run at the same time at most. */
  readonly jobs: number;
  readonly cpus: number;
  /** Measured anew for every decision. */
  readonly free: () => FreeSpace | Promise<FreeSpace>;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Nothing starts any more, and what runs gets the signal. */
  readonly signal: AbortSignal;
  readonly onStart?: (task: K) => void;
  /** Called for each task exactly once, also for those that never ran. */
  readonly onEnd?: (task: K, result: TaskResult<T>) => void;
  /** Called once for a task and what it waits for, where processors alone would let it run. */
  readonly onWait?: (task: K, scarcity: Scarcity) => void;
}

/** Seconds after which memory and disk are looked at again while somebody waits for them. */
const LOOK_AGAIN_SECONDS = 2;

/**
 * Runs tasks after those that they stand on, as many at once as jobs, processors, memory and disk allow, first those with the longest chain
 * still before them. A task that needs more than there is runs alone. A task that fails takes those along that stand on it; all others
 * go on. Returns one result for each task, when all have one; never throws because of a task. Identifiers are unique and `after` names
 * tasks of the list without a circle: anything else is a defect of the caller and throws before anything starts.
 */
export async function runTasks<T, K extends Task<T> = Task<T>>(tasks: readonly K[], options: SchedulerOptions<T, K>): Promise<Map<string, TaskResult<T>>> {
  return await new Scheduler(tasks, options).run();
}

/** How many seconds pass until the tasks are done: what is left of the work on so many processors, but never less than the longest chain. */
export function remainingSeconds(tasks: readonly Pick<Task<unknown>, 'id' | 'after' | 'seconds'>[], workers: number): number {
  const chains = chainSeconds(tasks);
  const work = tasks.reduce((sum, task) => sum + task.seconds, 0);
  return Math.max(work / Math.max(1, workers), ...chains.values(), 0);
}

/** For each task the seconds of the longest chain that begins with it. Throws where the tasks stand on each other in a circle. */
export function chainSeconds(tasks: readonly Pick<Task<unknown>, 'id' | 'after' | 'seconds'>[]): Map<string, number> {
  const above = new Map<string, string[]>();
  for (const task of tasks) for (const id of task.after) above.set(id, [...(above.get(id) ?? []), task.id]);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const chains = new Map<string, number>();
  // Kahn's order from the top: a chain is known when all that stand on it are.
  const waiting = new Map(tasks.map((task) => [task.id, above.get(task.id)?.length ?? 0]));
  const ready = tasks.filter((task) => waiting.get(task.id) === 0).map((task) => task.id);
  for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
    const task = byId.get(id);
    if (task === undefined) continue;
    const longest = Math.max(0, ...(above.get(id) ?? []).map((other) => chains.get(other) ?? 0));
    chains.set(id, longest + task.seconds);
    for (const below of task.after) {
      const left = (waiting.get(below) ?? 0) - 1;
      waiting.set(below, left);
      if (left === 0) ready.push(below);
    }
  }
  if (chains.size !== tasks.length) throw new Error('tasks stand on each other in a circle');
  return chains;
}

class Scheduler<T, K extends Task<T>> {
  readonly #options: SchedulerOptions<T, K>;
  readonly #tasks: ReadonlyMap<string, K>;
  readonly #above = new Map<string, K[]>();
  /** Those that have not started, longest chain first. */
  #waiting: K[];
  readonly #running = new Map<string, { readonly task: K; readonly slot: number }>();
  readonly #results = new Map<string, TaskResult<T>>();
  readonly #announced = new Set<string>();
  /** Resolved when something may start that could not before. */
  #poke = Promise.withResolvers<void>();
  #defect: { readonly error: unknown } | undefined;
  #mostFree: FreeSpace = { memory: 0, disk: 0 };

  constructor(tasks: readonly K[], options: SchedulerOptions<T, K>) {
    this.#options = options;
    this.#tasks = new Map(tasks.map((task) => [task.id, task]));
    if (this.#tasks.size !== tasks.length) throw new Error('two tasks have the same identifier');
    for (const task of tasks) {
      for (const id of task.after) {
        if (!this.#tasks.has(id)) throw new Error(`task ${task.id} stands on ${id}, which is no task`);
        this.#above.set(id, [...(this.#above.get(id) ?? []), task]);
      }
    }
    const chains = chainSeconds(tasks);
    this.#waiting = tasks.toSorted((a, b) => (chains.get(b.id) ?? 0) - (chains.get(a.id) ?? 0));
  }

  async run(): Promise<Map<string, TaskResult<T>>> {
    const over = new AbortController();
    const signals = new Set([this.#options.signal, ...this.#waiting.flatMap(({ signal }) => signal ?? [])]);
    for (const signal of signals) signal.addEventListener('abort', () => this.#poke.resolve(), { signal: over.signal });
    try {
      return await this.#runAll();
    } finally {
      over.abort();
    }
  }

  async #runAll(): Promise<Map<string, TaskResult<T>>> {
    while (this.#waiting.length > 0 || this.#running.size > 0) {
      if (this.#defect !== undefined) throw this.#defect.error;
      this.#dropStopped();
      const scarce = await this.#startAll();
      if (this.#running.size === 0) continue;
      await this.#somethingHappens(scarce);
    }
    return this.#results;
  }

  /** Starts whatever may start now; says whether memory or disk keep something back. */
  async #startAll(): Promise<boolean> {
    let scarce = false;
    const promised = { memory: 0, disk: 0 };
    for (const { task } of this.#running.values()) {
      promised.memory += task.needs.memory;
      promised.disk += task.needs.disk;
    }
    const ready = this.#waiting.filter((task) => this.#isReady(task));
    if (ready.length === 0 || this.#running.size >= this.#options.jobs) return false;
    // Measured once for all that start now: what runs has not taken yet all that it was promised.
    const free = this.#budget(await this.#options.free(), promised);
    for (const task of ready) {
      if (this.#options.signal.aborted || task.signal?.aborted === true) continue; // while it was measured
      const alone = this.#running.size === 0;
      if (!alone && (this.#running.size >= this.#options.jobs || this.#cpusTaken() + task.needs.cpus > this.#options.cpus)) continue;
      const scarcity = alone ? undefined : missing(task.needs, { memory: free.memory - promised.memory, disk: free.disk - promised.disk });
      if (scarcity !== undefined) {
        scarce = true;
        this.#announce(task, scarcity);
        continue;
      }
      promised.memory += task.needs.memory;
      promised.disk += task.needs.disk;
      this.#start(task);
    }
    return scarce;
  }

  /**
   * What may be promised in all: the most that was seen free, so that a promise is not counted twice when its task has begun to use it, but
   * less where others have taken some since.
   */
  #budget(measured: FreeSpace, promised: FreeSpace): FreeSpace {
    const last = this.#running.size === 0 ? measured : this.#mostFree;
    this.#mostFree = { memory: Math.max(last.memory, measured.memory), disk: Math.max(last.disk, measured.disk) };
    return {
      memory: Math.min(this.#mostFree.memory, measured.memory + promised.memory),
      disk: Math.min(this.#mostFree.disk, measured.disk + promised.disk),
    };
  }

  #start(task: K): void {
    this.#waiting = this.#waiting.filter((other) => other !== task);
    const taken = new Set([...this.#running.values()].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    const signal = task.signal === undefined ? this.#options.signal : AbortSignal.any([this.#options.signal, task.signal]);
    this.#options.onStart?.(task);
    this.#running.set(task.id, { task, slot });
    void this.#work(task, { slot, signal })
      .then((result) => {
        this.#running.delete(task.id);
        this.#end(task, result);
      })
      // Only a listener's own defect comes here: it ends the run, since nobody could tell what is true.
      .catch((error: unknown) => (this.#defect ??= { error }))
      .then(() => this.#poke.resolve());
  }

  async #work(task: K, run: TaskRun): Promise<TaskResult<T>> {
    try {
      return { status: 'done', value: await task.run(run) };
    } catch (error) {
      return run.signal.aborted ? { status: 'stopped' } : { status: 'failed', error };
    }
  }

  #end(task: K, result: TaskResult<T>): void {
    this.#results.set(task.id, result);
    this.#options.onEnd?.(task, result);
    if (result.status === 'done') return;
    const cause = result.status === 'skipped' ? result.cause : task.id;
    for (const above of this.#above.get(task.id) ?? []) {
      if (!this.#waiting.includes(above)) continue;
      this.#waiting = this.#waiting.filter((other) => other !== above);
      this.#end(above, { status: 'skipped', cause });
    }
  }

  #dropStopped(): void {
    for (const task of this.#waiting) {
      if (!this.#options.signal.aborted && task.signal?.aborted !== true) continue;
      if (this.#results.has(task.id)) continue; // went along with one that it stands on
      this.#waiting = this.#waiting.filter((other) => other !== task);
      this.#end(task, { status: 'stopped' });
    }
  }

  /** Waits until a task has ended or is to stop, or, where memory or disk keep something back, until it is time to look again. */
  async #somethingHappens(scarce: boolean): Promise<void> {
    const over = new AbortController();
    const looks = scarce ? [this.#options.clock.sleep(LOOK_AGAIN_SECONDS, over.signal).catch(() => undefined)] : [];
    await Promise.race([this.#poke.promise, ...looks]);
    over.abort();
    this.#poke = Promise.withResolvers();
  }

  #isReady(task: K): boolean {
    return task.after.every((id) => this.#results.get(id)?.status === 'done');
  }

  #cpusTaken(): number {
    return [...this.#running.values()].reduce((sum, { task }) => sum + task.needs.cpus, 0);
  }

  #announce(task: K, scarcity: Scarcity): void {
    const once = `${scarcity.what} ${task.id}`;
    if (this.#announced.has(once)) return;
    this.#announced.add(once);
    this.#options.onWait?.(task, scarcity);
  }
}

function missing(needs: Needs, free: FreeSpace): Scarcity | undefined {
  if (needs.memory > free.memory) return { what: 'memory', needed: needs.memory, free: Math.max(0, free.memory) };
  if (needs.disk > free.disk) return { what: 'disk', needed: needs.disk, free: Math.max(0, free.disk) };
  return undefined;
}

import { IngotError, toIngotError } from '../base/errors.ts';
import { randomId } from '../base/host.ts';
import { parseName } from '../base/types.ts';
import type { BuildLog } from '../build/build-log.ts';
import type { BuildObserver, BuildTimes, ImageResult } from '../build/images.ts';
import type { Context } from '../operations/operation.ts';
import { IMAGE_KIND } from './estimate.ts';
import type { JobEnd, NewJob } from './job.ts';
import type { Queue, Owner } from './queue.ts';

/** How often a process looks whether somebody wants a job of it stopped. */
const LOOK_SECONDS = 1;

/** A claim on jobs that lasts as long as the process, or until it is disposed. */
export async function takeOwner(context: Pick<Context, 'host' | 'home' | 'signal'>, what: string): Promise<Owner & AsyncDisposable> {
  const { host, home } = context;
  const lock = `queue-${randomId(host.random)}`;
  const [{ takeLock }, { removeOwnerLock }] = await Promise.all([import('../base/lock.ts'), import('./queue.ts')]);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => removeOwnerLock(host, home, lock));
  stack.use(await takeLock(host, home, lock, { what }));
  const undo = stack.move();
  return { lock, pid: process.pid, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}

export interface RecordOptions {
  /** One for each image. */
  readonly jobs: readonly NewJob[];
  /** Where they were claimed from the queue: it, who claimed them, and their numbers. */
  readonly claimed?: { readonly queue: Queue; readonly owner: Owner; readonly ids: readonly number[] };
}

/**
 * Records a build as jobs of the queue, with a log for each image, and stops those that `queue cancel` names. Nothing is opened before there
 * is work. A queue that cannot be used is told as a warning: the images matter more than their history.
 */
export class BuildRecorder implements AsyncDisposable {
  readonly #context: Context;
  readonly #options: RecordOptions;
  readonly #stack = new AsyncDisposableStack();
  readonly #stops: readonly AbortController[];
  readonly #logs = new Map<number, BuildLog>();
  readonly #closing: Promise<void>[] = [];
  #queue: Queue | undefined;
  #owner: Owner | undefined;
  /** Number of each image's job, by the image's position. */
  readonly #ids = new Map<number, number>();
  #times: Map<string, number> | undefined;

  constructor(context: Context, options: RecordOptions) {
    this.#context = context;
    this.#options = options;
    this.#stops = options.jobs.map(() => new AbortController());
    const { claimed } = options;
    this.#queue = claimed?.queue;
    this.#owner = claimed?.owner;
    claimed?.ids.forEach((id, i) => this.#ids.set(i, id));
  }

  readonly observer: BuildObserver = {
    onWork: (images) => this.#begin(images),
    onEvent: (i, event) => this.#logs.get(i)?.write(event),
    onResult: (i, result) => this.#end(i, result),
  };

  readonly times: BuildTimes = {
    seconds: (kind, name) => this.#times?.get(`${kind} ${name}`) ?? this.#times?.get(kind),
    learn: (kind, name, seconds) => this.#attempt(() => this.#queue?.learn(kind, name, seconds)),
  };

  signalOf(image: number): AbortSignal | undefined {
    return this.#stops[image]?.signal;
  }

  async #begin(images: readonly number[]): Promise<void> {
    const { host, home } = this.#context;
    const { jobs, claimed } = this.#options;
    // Loaded only where something is to be made: a build where all is cached is to be quick.
    const [{ openBuildLog }, { Queue }] = await Promise.all([import('../build/build-log.ts'), import('./queue.ts')]);
    for (const i of images) {
      const job = jobs[i];
      if (job !== undefined) this.#logs.set(i, openBuildLog(host, home, parseName(job.name, 'an image')));
    }
    try {
      const queue = claimed?.queue ?? this.#stack.use(await Queue.open(host, home));
      this.#queue = queue;
      this.#times = timesOf(queue);
      if (claimed === undefined) {
        const owner = this.#stack.use(await takeOwner(this.#context, 'building images'));
        this.#owner = owner;
        const wanted = images.flatMap((i) => jobs[i] ?? []);
        queue.add(wanted, owner).forEach((id, position) => this.#ids.set(images[position] ?? -1, id));
      }
    } catch (error) {
      this.#warn(error);
    }
    const over = new AbortController();
    const watching = this.#watch(over.signal);
    this.#stack.defer(async () => {
      over.abort();
      await watching;
    });
  }

  async #watch(over: AbortSignal): Promise<void> {
    const { clock } = this.#context.host;
    while (!over.aborted) {
      await clock.sleep(LOOK_SECONDS, over).catch(() => undefined);
      if (over.aborted || this.#owner === undefined) return;
      const { lock, pid } = this.#owner;
      this.#attempt(() => {
        const asked = new Set(this.#queue?.cancelled({ lock, pid }) ?? []);
        for (const [image, id] of this.#ids) {
          if (asked.has(id)) this.#stops[image]?.abort(new IngotError('interrupted', 'cancelled', 'Cancelled with `ingot queue cancel`'));
        }
      });
    }
  }

  #end(image: number, result: ImageResult): void {
    const log = this.#logs.get(image);
    if (log !== undefined) this.#closing.push(log.end(result));
    const id = this.#ids.get(image);
    const owner = this.#owner;
    if (id === undefined || owner === undefined) return;
    this.#attempt(() => {
      this.#queue?.finish(id, owner, endOf(result, this.#stops[image]?.signal.aborted === true));
      if (result.status === 'built') this.#queue?.learn(IMAGE_KIND, this.#options.jobs[image]?.name ?? '', result.seconds);
    });
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#warn(error);
    }
  }

  #warned = false;
  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#context.events.message('warn', `This build is not recorded in the queue: ${toIngotError(error).message}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#closing);
    await this.#stack.disposeAsync();
  }
}

/** What was learned, and for each kind the middle of what was learned of it: a guess for what has not been done yet. */
function timesOf(queue: Queue): Map<string, number> {
  const times = new Map<string, number>();
  const kinds = new Map<string, number[]>();
  for (const { kind, name, seconds } of queue.times()) {
    times.set(`${kind} ${name}`, seconds);
    kinds.set(kind, [...(kinds.get(kind) ?? []), seconds]);
  }
  for (const [kind, all] of kinds) times.set(kind, all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0);
  return times;
}

function endOf(result: ImageResult, cancelled: boolean): JobEnd {
  const { seconds } = result;
  if (result.status === 'built' || result.status === 'cached') return { state: 'done', outcome: result.status, seconds };
  if (result.status === 'failed') {
    const { code, message } = toIngotError(result.error);
    return { state: 'failed', seconds, errorCode: code, error: message };
  }
  if (cancelled) return { state: 'cancelled', seconds };
  return result.stopped ? { state: 'interrupted', seconds, error: result.why } : { state: 'failed', seconds, errorCode: 'layer-failed', error: result.why };
}

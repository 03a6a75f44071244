import { formatSize } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { ImageResult } from './images.ts';
import { remainingSeconds, type Scarcity } from './scheduler.ts';
import type { BuildTask } from './tasks.ts';

/** Tells how far the images are, and what they wait for, where there are several. */
export class FleetProgress {
  readonly #context: Pick<Context, 'events' | 'host'>;
  readonly #results: readonly (ImageResult | undefined)[];
  readonly #jobs: number;
  readonly #open: Map<string, BuildTask>;
  readonly #running = new Map<BuildTask, number>();

  constructor(context: Pick<Context, 'events' | 'host'>, results: readonly (ImageResult | undefined)[], tasks: readonly BuildTask[], jobs: number) {
    this.#context = context;
    this.#results = results;
    this.#jobs = jobs;
    this.#open = new Map(tasks.map((task) => [task.id, task]));
  }

  started(task: BuildTask): void {
    this.#running.set(task, this.#context.host.clock.monotonic());
    this.#tell();
  }

  ended(task: BuildTask): void {
    this.#running.delete(task);
    this.#open.delete(task.id);
    this.#tell();
  }

  waits(task: BuildTask, { what, needed, free }: Scarcity): void {
    const thing = what === 'memory' ? 'memory' : 'disk space';
    this.#context.events.message('info', `${capital(task.what)} waits for ${thing}: it takes ${formatSize(needed)}, and ${formatSize(free)} are free.`);
  }

  /** Seconds until all is done, from how long the same took before; undefined where some of it was never seen. */
  secondsLeft(): number | undefined {
    const tasks = [...this.#open.values()];
    if (tasks.some((task) => !task.known)) return undefined;
    const now = this.#context.host.clock.monotonic();
    const left = tasks.map((task) => {
      const since = this.#running.get(task);
      const seconds = since === undefined ? task.seconds : Math.max(0, task.seconds - (now - since) / 1000);
      return { id: task.id, after: task.after.filter((id) => this.#open.has(id)), seconds };
    });
    return Math.ceil(remainingSeconds(left, this.#jobs));
  }

  #tell(): void {
    const count = (status: ImageResult['status']): number => this.#results.filter((result) => result?.status === status).length;
    const running = new Set([...this.#running.keys()].map((task) => task.images.find((i) => this.#results[i] === undefined)));
    running.delete(undefined);
    const secondsLeft = this.secondsLeft();
    this.#context.events.fleet({
      built: count('built'),
      cached: count('cached'),
      failed: count('failed'),
      skipped: count('skipped'),
      running: running.size,
      waiting: this.#results.filter((result) => result === undefined).length - running.size,
      ...(secondsLeft === undefined ? {} : { secondsLeft }),
    });
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

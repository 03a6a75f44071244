import type { Context } from '../operations/operation.ts';
import { isForeign } from '../store/model.ts';
import type { LayerCache } from '../remotes/layer-cache.ts';
import { choosePlace, type PlaceKind } from '../workspace/place.ts';
import { finishImage, gateFailed, proveImage, targetOf } from './finish-image.ts';
import { FleetProgress } from './fleet-progress.ts';
import type { ImageBuild, ImageResult } from './images.ts';
import { ensureLayer } from './layer.ts';
import { contentFor, nameOf, settle, stopped, type BuildParts, type Run } from './run.ts';
import { runTasks, type TaskResult, type TaskRun } from './scheduler.ts';
import { openWithScratch, SlotPlaces } from './slots.ts';
import { buildTasks, recordsBelow, type BuildTask, type TaskWork } from './tasks.ts';

/** What really makes layers. */
export const PARTS: BuildParts = { ensureLayer, choosePlace };

/** Makes what is missing. */
export async function workOn(run: Run, working: readonly number[], parts: BuildParts): Promise<void> {
  const { context, builds, options, outcomes, results } = run;
  const { observer } = options;
  await observer?.onWork?.(working);
  const jobs = options.debugShell ? 1 : (options.jobs ?? context.host.machine.cpus);
  const foreign = builds.some(({ plan }) => isForeign(plan.base?.layers ?? []));
  const place = await parts.choosePlace(context, options.workspace, { foreign });
  await using places = new SlotPlaces(context, place, openWithScratch(options.offline));
  const tasks = buildTasks(builds, working, outcomes, place, options.times, taskWork(run, parts, place, places));
  const progress = new FleetProgress(context, results, tasks, jobs);
  const ended = new Map<string, TaskResult<void>>();
  await runTasks<void, BuildTask>(tasks, {
    jobs,
    cpus: Math.max(context.host.machine.cpus, options.jobs ?? 0),
    free: async () => ({ memory: context.host.machine.freeMemory(), disk: await context.host.files.freeSpace(context.home.root) }),
    clock: context.host.clock,
    signal: context.signal,
    onStart: (task) => {
      for (const i of task.images) observer?.onStart?.(i);
      progress.started(task);
    },
    onEnd: (task, result) => {
      ended.set(task.id, result);
      if (result.status === 'failed') tellFailure(run, task, result.error);
      if (task.image !== undefined && results[task.image] === undefined) settle(run, task.image, unfinished(run, task.image, result, tasks, ended));
      progress.ended(task);
    },
    onWait: (task, scarcity) => progress.waits(task, scarcity),
  });
}

function taskWork(run: Run, parts: BuildParts, place: PlaceKind, places: SlotPlaces): TaskWork {
  const { context, builds, options, outcomes } = run;
  let cache: Promise<LayerCache | undefined> | undefined;
  const askHost = onceForEach((arch) => options.beforeWork(arch, place));
  const consent = oneByOne(context.consent);
  const contextOf = ({ images, scope }: Pick<BuildTask, 'images' | 'scope'>, { signal }: TaskRun): Context => ({
    ...context,
    signal,
    consent,
    events: context.events.branch(scope, (event) => {
      for (const i of images) options.observer?.onEvent?.(i, event);
    }),
  });
  return {
    async makeLayer(layer, task, taskRun) {
      const build = buildOf(builds, task.images[0]);
      try {
        const outcome = await parts.ensureLayer(contextOf(task, taskRun), run.store, layer, recordsBelow(build, layer, outcomes), {
          archives: build.archives,
          offline: options.offline,
          debugShell: options.debugShell,
          secrets: options.secrets,
          workspace: place,
          place: () => places.get(taskRun.slot),
          shellCommand: build.shellCommand,
          ...(options.offline || context.settings.cache === undefined
            ? {}
            : { cache: () => (cache ??= import('../remotes/layer-cache.ts').then(({ openLayerCache }) => openLayerCache(context))) }),
          beforeWork: () => askHost(build.plan.template.arch),
        });
        outcomes.set(layer.key, outcome);
        if (!outcome.cached) options.times.learn(layer.kind, layer.name, outcome.seconds);
      } catch (error) {
        await places.drop(taskRun.slot);
        throw error;
      }
    },
    async finishImage(i, task, taskRun) {
      settle(run, i, await finishBuild(run, contextOf(task, taskRun), buildOf(builds, i)));
    },
  };
}

/** Stores an image, boots it, and moves its tags where it passed. */
async function finishBuild(run: Run, context: Context, build: ImageBuild): Promise<ImageResult> {
  const content = contentFor(run, build);
  const target = targetOf(build);
  const { image, gate } = await proveImage(context, target, content, (seconds) => run.options.times.learn(build.gate.kind, build.plan.release.id, seconds));
  if (gate.result === 'failed') return { status: 'failed', error: gateFailed(target.name, image, gate), image, seconds: run.seconds() };
  const status = content.layers.every(({ cached }) => cached) ? 'cached' : 'built';
  return { status, ...(await finishImage(context, target, content, { image, gate })), seconds: run.seconds() };
}

/** What became of an image whose own task was not done. */
function unfinished(run: Run, i: number, own: TaskResult<void>, tasks: readonly BuildTask[], ended: ReadonlyMap<string, TaskResult<void>>): ImageResult {
  const seconds = run.seconds();
  if (own.status === 'failed') return { status: 'failed', error: own.error, seconds };
  const cause = own.status === 'skipped' ? tasks.find(({ id }) => id === own.cause) : undefined;
  const begun = cause === undefined ? undefined : ended.get(cause.id);
  if (cause === undefined || begun?.status !== 'failed') return stopped(run);
  // The failure is told once, with the first image that has the layer.
  if (cause.images[0] === i) return { status: 'failed', error: begun.error, seconds };
  return { status: 'skipped', why: `it stands on ${cause.what}, which failed`, stopped: false, seconds };
}

/** Of several images, a failure is told when it happens: the others go on, perhaps for long. */
function tellFailure({ context, builds }: Run, task: BuildTask, error: unknown): void {
  if (builds.length === 1) return;
  const message = error instanceof Error ? error.message : String(error);
  const name = nameOf(builds, task.images[0] ?? 0);
  context.events.branch(task.scope).message('error', `${message} (ingot build logs ${name})`);
}

function buildOf(builds: readonly ImageBuild[], i: number | undefined): ImageBuild {
  const build = i === undefined ? undefined : builds[i];
  if (build === undefined) throw new Error(`there is no build ${i}`);
  return build;
}

/** Work that is done once for each word, and never twice at the same time: it may ask the user. */
function onceForEach(work: (word: string) => Promise<void>): (word: string) => Promise<void> {
  const known = new Map<string, Promise<void>>();
  const ordered = oneByOne(work);
  return (word) => {
    const answer = known.get(word) ?? ordered(word);
    known.set(word, answer);
    return answer;
  };
}

function oneByOne<T>(work: (word: string) => Promise<T>): (word: string) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (word) => {
    const next = last.then(
      () => work(word),
      () => work(word),
    );
    last = next;
    return next;
  };
}

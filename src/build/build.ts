import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import { imageFinder } from '../store/find-image.ts';
import { isForeign, type GateStatement } from '../store/model.ts';
import { openStore, type Store } from '../store/store.ts';
import { choosePlace, type PlaceKind } from '../workspace/place.ts';
import { cachedLayers, recordsOf, type Outcomes } from './cached.ts';
import { contentOf, finishImage, gateFailed, knownImage, storeImage, type ImageContent } from './finish-image.ts';
import { FleetProgress } from './fleet-progress.ts';
import type { BuildOptions, FinishedImage, ImageBuild, ImageResult } from './images.ts';
import { ensureLayer } from './layer.ts';
import { runTasks, type TaskResult, type TaskRun } from './scheduler.ts';
import { SlotPlaces } from './slots.ts';
import { buildTasks, nameOf, recordsBelow, type BuildTask, type TaskWork } from './tasks.ts';

export type * from './images.ts';

/** Parts that a test replaces. */
export interface BuildParts {
  readonly ensureLayer: typeof ensureLayer;
  readonly choosePlace: typeof choosePlace;
}

/** A build under way: what is asked, what is known, what became of each image. */
interface Run {
  readonly context: Context;
  readonly store: Store;
  readonly builds: readonly ImageBuild[];
  readonly options: BuildOptions;
  readonly parts: BuildParts;
  readonly outcomes: Outcomes;
  readonly results: (ImageResult | undefined)[];
  seconds(): number;
}

/** How many cached images are looked at together. */
const CACHED_AT_ONCE = 16;

/**
 * Makes the images of plans: their layers from the cache or anew, each layer once however many images have it, several at the same time;
 * then for each image the gate, the tags and the outputs. An image that fails stops no other. Returns one result for each, in the same
 * order; a single build is a fleet of one. Throws `names-collide` where two images would have the same name. Where everything is cached,
 * nothing is locked, no workspace is opened, and nothing is written.
 */
export async function buildImages(
  context: Context,
  builds: readonly ImageBuild[],
  options: BuildOptions,
  parts: BuildParts = { ensureLayer, choosePlace },
): Promise<ImageResult[]> {
  checkNames(builds);
  const start = context.host.clock.monotonic();
  const store = openStore(context.host, context.home);
  const plans = builds.map(({ plan }) => plan);
  const outcomes = await cachedLayers(context, store, plans, options.offline);
  const results = builds.map((): ImageResult | undefined => undefined);
  const run: Run = { context, store, builds, options, parts, outcomes, results, seconds: () => (context.host.clock.monotonic() - start) / 1000 };
  await takeCached(run);
  const working = results.flatMap((result, i) => (result === undefined ? [i] : []));
  if (working.length > 0) await workOn(run, working);
  return results.map((result) => result ?? stopped(run));
}

function checkNames(builds: readonly ImageBuild[]): void {
  const names = builds.map((_, i) => nameOf(builds, i));
  const twice = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  if (twice.length === 0) return;
  throw new IngotError('usage', 'names-collide', `Several images would be called ${twice.slice(0, 5).join(', ')}${twice.length > 5 ? ' …' : ''}`, {
    hint: 'Each image of one build needs a name of its own: set `name` in the template, or build them one after the other with --name.',
  });
}

/** Settles the images of which all is there already: layers, image, a gate that holds. */
async function takeCached(run: Run): Promise<void> {
  const { context, builds, outcomes } = run;
  // Outputs are written by a task: that takes time.
  const complete = builds.flatMap(({ plan, finish }, i) => (finish === undefined && plan.layers.every(({ key }) => outcomes.has(key)) ? [i] : []));
  if (complete.length === 0) return;
  const find = await imageFinder(context.host, context.home);
  const worker = async (): Promise<void> => {
    for (let i = complete.shift(); i !== undefined; i = complete.shift()) {
      const build = builds[i];
      if (build === undefined) continue;
      const content = contentFor(run, build);
      const known = await knownImage(context, build, content, find);
      if (known === undefined) continue;
      showCached(run, i, known.gate);
      settle(run, i, await attempt(run, async () => ({ status: 'cached', ...(await finishImage(context, build, content, known)) })));
    }
  };
  await Promise.all(Array.from({ length: CACHED_AT_ONCE }, worker));
  const cached = run.results.filter((result) => result?.status === 'cached').length;
  if (cached > 0 && builds.length > 1) context.events.message('info', `${cached} of ${builds.length} images are there already.`);
}

/** One image alone shows that its layers are there; of several it is enough to know how many. */
function showCached({ context, builds }: Run, i: number, gate: GateStatement): void {
  if (builds.length > 1) return;
  const { events } = context;
  for (const { name } of builds[i]?.plan.layers ?? []) events.span('layer', name).end('cached');
  if (gate.result === 'passed') events.span('stage', 'gate').end('cached');
}

/** Makes what is missing. */
async function workOn(run: Run, working: readonly number[]): Promise<void> {
  const { context, builds, options, parts, outcomes, results } = run;
  const { observer } = options;
  await observer?.onWork?.(working);
  const jobs = options.debugShell ? 1 : (options.jobs ?? context.host.machine.cpus);
  const foreign = builds.some(({ plan }) => isForeign(plan.base?.layers ?? []));
  const place = await parts.choosePlace(context, options.workspace, { foreign });
  await using places = new SlotPlaces(context, place);
  const tasks = buildTasks(builds, working, outcomes, place, options.times, taskWork(run, place, places));
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

function taskWork(run: Run, place: PlaceKind, places: SlotPlaces): TaskWork {
  const { context, builds, options, parts, outcomes } = run;
  const askHost = onceForEach(options.beforeWork);
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
      settle(run, i, await proveImage(run, contextOf(task, taskRun), buildOf(builds, i)));
    },
  };
}

/** Stores an image, boots it, and moves its tags where it passed. */
async function proveImage(run: Run, context: Context, build: ImageBuild): Promise<ImageResult> {
  const content = contentFor(run, build);
  const image = await storeImage(context, build, content);
  const known = await build.gate.known(context, image);
  const start = context.host.clock.monotonic();
  const gate = known ?? (await build.gate.run(context, image));
  if (known === undefined) run.options.times.learn(build.gate.kind, build.plan.release.id, (context.host.clock.monotonic() - start) / 1000);
  if (gate.result === 'failed') return { status: 'failed', error: gateFailed(build.plan.template.name, image, gate), image, seconds: run.seconds() };
  const status = content.layers.every(({ cached }) => cached) ? 'cached' : 'built';
  return { status, ...(await finishImage(context, build, content, { image, gate })), seconds: run.seconds() };
}

function contentFor({ outcomes }: Run, build: ImageBuild): ImageContent {
  const layers = build.plan.layers.flatMap(({ name, key }) => {
    const outcome = outcomes.get(key);
    return outcome === undefined ? [] : [{ ...outcome, name }];
  });
  return contentOf(build, recordsOf(build.plan, outcomes), layers);
}

async function attempt(run: Run, work: () => Promise<{ readonly status: 'cached' } & FinishedImage>): Promise<ImageResult> {
  try {
    return { ...(await work()), seconds: run.seconds() };
  } catch (error) {
    return { status: 'failed', error, seconds: run.seconds() };
  }
}

function settle({ results, options }: Run, i: number, result: ImageResult): void {
  results[i] = result;
  options.observer?.onResult?.(i, result);
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

function stopped(run: Run): ImageResult {
  return { status: 'skipped', why: 'it was stopped before it was done', stopped: true, seconds: run.seconds() };
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

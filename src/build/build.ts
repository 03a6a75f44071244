import { IngotError } from '../base/errors.ts';
import type { Context } from '../operations/operation.ts';
import { imageFinder } from '../store/find-image.ts';
import type { GateStatement } from '../store/model.ts';
import { openStore } from '../store/store.ts';
import { cachedLayers } from './cached.ts';
import { finishImage, gateFailed, knownImage, targetOf } from './finish-image.ts';
import type { BuildOptions, FinishedImage, ImageBuild, ImageResult } from './images.ts';
import { contentFor, nameOf, settle, stopped, type BuildParts, type Run } from './run.ts';

export type * from './images.ts';
export type { BuildParts } from './run.ts';

/** How many cached images are looked at together. */
const CACHED_AT_ONCE = 16;

/**
 * Makes the images of plans: their layers from the cache or anew, each layer once however many images have it, several at the same time;
 * then for each image the gate, the tags and the outputs. An image that fails stops no other. Returns one result for each, in the same
 * order; a single build is a fleet of one. Throws `names-collide` where two images would have the same name. Where everything is cached,
 * nothing is locked, no workspace is opened, and nothing is written.
 */
export async function buildImages(context: Context, builds: readonly ImageBuild[], options: BuildOptions, parts?: BuildParts): Promise<ImageResult[]> {
  checkNames(builds);
  const start = context.host.clock.monotonic();
  const store = openStore(context.host, context.home);
  const plans = builds.map(({ plan }) => plan);
  const outcomes = await cachedLayers(context, store, plans, options.offline);
  const results = builds.map((): ImageResult | undefined => undefined);
  const run: Run = { context, store, builds, options, outcomes, results, seconds: () => (context.host.clock.monotonic() - start) / 1000 };
  await takeCached(run);
  const working = results.flatMap((result, i) => (result === undefined ? [i] : []));
  if (working.length > 0) {
    // What makes layers and boots images is loaded only where something is to be made.
    const { workOn, PARTS } = await import('./work.ts');
    await workOn(run, working, parts ?? PARTS);
  }
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
      const known = await knownImage(context, targetOf(build), content, find);
      if (known === undefined) continue;
      showCached(run, i, known.gate);
      if (known.gate.result === 'failed') {
        // Without a gate, too, an image that is known to be bad gets no tag.
        settle(run, i, { status: 'failed', error: gateFailed(build.plan.template.name, known.image, known.gate), image: known.image, seconds: run.seconds() });
        continue;
      }
      settle(run, i, await attempt(run, async () => ({ status: 'cached', ...(await finishImage(context, targetOf(build), content, known)) })));
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

async function attempt(run: Run, work: () => Promise<{ readonly status: 'cached' } & FinishedImage>): Promise<ImageResult> {
  try {
    return { ...(await work()), seconds: run.seconds() };
  } catch (error) {
    return { status: 'failed', error, seconds: run.seconds() };
  }
}

import type { LayerPlan } from '../plan/layers.ts';
import type { PlaceKind } from '../workspace/place.ts';
import { recordsOf, type Outcomes } from './cached.ts';
import type { BuildTimes, ImageBuild } from './images.ts';
import { SPACE_NEEDED } from './layer.ts';
import { nameOf } from './run.ts';
import type { Needs, Task, TaskRun } from './scheduler.ts';

/** A layer to be made, or an image to be stored, proven and tagged. */
export interface BuildTask extends Task<void> {
  /** What it makes, for messages: `the layer bootstrap of web`. */
  readonly what: string;
  /** Positions of the images that need it, in order; an image's own task has one. */
  readonly images: readonly number[];
  readonly scope: string | undefined;
  /** The image that it finishes; undefined for a layer. */
  readonly image?: number;
  /** Whether it is known how long it takes. */
  readonly known: boolean;
}

/** What tasks do. */
export interface TaskWork {
  makeLayer(layer: LayerPlan, task: Pick<BuildTask, 'images' | 'scope'>, run: TaskRun): Promise<void>;
  finishImage(image: number, task: Pick<BuildTask, 'images' | 'scope'>, run: TaskRun): Promise<void>;
}

const MIB = 2 ** 20;
/** A base is made in memory; where that is scarce it goes to the disk, and takes longer. */
const BOOTSTRAP_NEEDS: Needs = { cpus: 1, memory: 4096 * MIB, disk: SPACE_NEEDED };
const LAYER_NEEDS: Readonly<Record<PlaceKind, Needs>> = {
  host: { cpus: 1, memory: 256 * MIB, disk: 512 * MIB },
  vm: { cpus: 1, memory: 1024 * MIB, disk: 512 * MIB },
};
/** What a layer needs besides, while it runs as a machine of its own. */
const BOOTED_NEEDS: Needs = { cpus: 1, memory: 1280 * MIB, disk: 512 * MIB };
/** Seconds of what nobody has seen yet: only their order matters. */
const GUESSES: Readonly<Record<string, number>> = { bootstrap: 60, image: 90 };
const GUESS = 15;
const GUESS_BOOTED = 120;

function needsOf(layer: LayerPlan, place: PlaceKind): Needs {
  if (layer.kind === 'bootstrap') return BOOTSTRAP_NEEDS;
  const { cpus, memory, disk } = LAYER_NEEDS[place];
  if (!isBooted(layer)) return { cpus, memory, disk };
  return { cpus: cpus + BOOTED_NEEDS.cpus, memory: memory + BOOTED_NEEDS.memory, disk: disk + BOOTED_NEEDS.disk };
}

function isBooted({ recipe }: LayerPlan): boolean {
  return 'machine' in recipe && recipe.machine !== undefined;
}

/** The tasks of some of the builds: the layers that are not cached, each once, and then each image. */
export function buildTasks(
  builds: readonly ImageBuild[],
  working: readonly number[],
  outcomes: Outcomes,
  place: PlaceKind,
  times: Pick<BuildTimes, 'seconds'>,
  work: TaskWork,
): BuildTask[] {
  const layers = new Map<string, { readonly layer: LayerPlan; readonly below: string | undefined; readonly images: number[] }>();
  const tops = new Map<number, string>();
  for (const i of working) {
    const plan = builds[i]?.plan;
    if (plan === undefined) continue;
    let below: string | undefined;
    for (const layer of plan.layers) {
      if (outcomes.has(layer.key)) continue;
      const known = layers.get(layer.key) ?? { layer, below, images: [] };
      known.images.push(i);
      layers.set(layer.key, known);
      below = layer.key;
    }
    if (below !== undefined) tops.set(i, below);
  }
  const scopeOf = (images: readonly number[]): string | undefined => (builds.length === 1 ? undefined : scope(images.map((i) => nameOf(builds, i))));
  const tasks: BuildTask[] = [];
  for (const [id, { layer, below, images }] of layers) {
    const about = { images, scope: scopeOf(images) };
    const seconds = times.seconds(layer.kind, layer.name);
    const signal = whenAll(images.map((i) => builds[i]?.signal));
    tasks.push({
      ...about,
      id,
      after: below === undefined ? [] : [below],
      what: `the layer ${layer.name} of ${nameOf(builds, images[0] ?? 0)}`,
      needs: needsOf(layer, place),
      seconds: seconds ?? GUESSES[layer.kind] ?? (isBooted(layer) ? GUESS_BOOTED : GUESS),
      known: seconds !== undefined,
      ...(signal === undefined ? {} : { signal }),
      run: (run) => work.makeLayer(layer, about, run),
    });
  }
  for (const i of working) {
    const build = builds[i];
    if (build === undefined) continue;
    const top = tops.get(i);
    const about = { images: [i], scope: scopeOf([i]) };
    const seconds = times.seconds(build.gate.kind, build.plan.release.id);
    tasks.push({
      ...about,
      id: `image ${i}`,
      image: i,
      after: top === undefined ? [] : [top],
      what: `the gate of ${nameOf(builds, i)}`,
      needs: build.gate.needs,
      seconds: seconds ?? (build.gate.needs.cpus === 0 ? 0 : (GUESSES['image'] ?? GUESS)),
      known: seconds !== undefined || build.gate.needs.cpus === 0,
      ...(build.signal === undefined ? {} : { signal: build.signal }),
      run: (run) => work.finishImage(i, about, run),
    });
  }
  return tasks;
}

/** The layers below one that is made now, bottom first. */
export function recordsBelow(build: ImageBuild, layer: LayerPlan, outcomes: Outcomes): ReturnType<typeof recordsOf> {
  const position = build.plan.layers.findIndex(({ key }) => key === layer.key);
  return recordsOf({ ...build.plan, layers: build.plan.layers.slice(0, position) }, outcomes);
}

/** What several images have in common is told by the first of them, and by how many more there are. */
function scope(names: readonly string[]): string {
  return names.length > 1 ? `${names[0]} +${names.length - 1}` : (names[0] ?? '');
}

/** Fires when all fired; undefined where one never does. */
function whenAll(signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const all = signals.filter((signal) => signal !== undefined);
  if (all.length < signals.length) return undefined;
  if (all.length === 1) return all[0];
  const controller = new AbortController();
  const look = (): void => {
    if (all.every((signal) => signal.aborted)) controller.abort(all[0]?.reason);
  };
  for (const signal of all) signal.addEventListener('abort', look, { once: true });
  look();
  return controller.signal;
}

import type { Context } from '../operations/operation.ts';
import type { Store } from '../store/store.ts';
import type { choosePlace } from '../workspace/place.ts';
import { recordsOf, type Outcomes } from './cached.ts';
import { contentOf, type ImageContent } from './finish-image.ts';
import type { BuildOptions, ImageBuild, ImageResult } from './images.ts';
import type { ensureLayer } from './layer.ts';

/** Parts that a test replaces. */
export interface BuildParts {
  readonly ensureLayer: typeof ensureLayer;
  readonly choosePlace: typeof choosePlace;
}

/** A build under way: what is asked, what is known, what became of each image. */
export interface Run {
  readonly context: Context;
  readonly store: Store;
  readonly builds: readonly ImageBuild[];
  readonly options: BuildOptions;
  readonly outcomes: Outcomes;
  readonly results: (ImageResult | undefined)[];
  seconds(): number;
}

export function nameOf(builds: readonly ImageBuild[], i: number): string {
  return builds[i]?.plan.template.name ?? `image ${i}`;
}

/** What an image is made of; all its layers are known. */
export function contentFor({ outcomes }: Run, build: ImageBuild): ImageContent {
  const layers = build.plan.layers.flatMap(({ name, key }) => {
    const outcome = outcomes.get(key);
    return outcome === undefined ? [] : [{ ...outcome, name }];
  });
  return contentOf(build, recordsOf(build.plan, outcomes), layers);
}

/** Writes down what became of an image, and tells it. */
export function settle({ results, options }: Run, i: number, result: ImageResult): void {
  results[i] = result;
  options.observer?.onResult?.(i, result);
}

export function stopped(run: Run): ImageResult {
  return { status: 'skipped', why: 'it was stopped before it was done', stopped: true, seconds: run.seconds() };
}

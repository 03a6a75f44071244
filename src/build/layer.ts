import { join } from 'node:path';
import { IngotError, isOutOfSpace, toIngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { takeLock } from '../base/lock.ts';
import { makeScratch } from '../base/scratch.ts';
import { formatSize, hexOf, hostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import type { LayerPlan } from '../plan/plan.ts';
import type { Mirrors } from '../sources/bootstrap/mirrors.ts';
import type { LayerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import { choosePlace } from '../workspace/place.ts';

/** Free bytes that a build needs at the home: packages, their expanded copies, and the layer. */
export const SPACE_NEEDED = 2 * 2 ** 30;

export interface LayerOptions {
  readonly mirrors: Mirrors;
  readonly offline: boolean;
  readonly debugShell: boolean;
  /** Called before the first layer that has to be made: what a build needs of the host is asked for only then. */
  readonly beforeWork: () => Promise<void>;
}

export interface LayerOutcome {
  readonly record: LayerRecord;
  readonly cached: boolean;
  readonly seconds: number;
}

/** The layer of a plan: from the cache, or made now. One process makes a layer, others that want it wait and say so. */
export async function ensureLayer(context: Context, store: Store, layer: LayerPlan, options: LayerOptions): Promise<LayerOutcome> {
  const span = context.events.span('layer', layer.name);
  try {
    const ready = await store.findLayer(layer.key);
    if (ready !== undefined) return { record: ready, cached: true, seconds: span.end('cached') };
    await options.beforeWork();
    await using _lock = await takeLock(context.host, context.home, `layer-${hexOf(layer.key).slice(0, 16)}`, {
      what: `building the layer ${layer.name} of ${layer.recipe.release}`,
      signal: context.signal,
      onWait: (owner) => context.events.message('info', `Waiting for process ${owner?.pid ?? '?'}, which is ${owner?.what ?? 'making the same layer'}.`),
    });
    const made = await store.findLayer(layer.key);
    if (made !== undefined) return { record: made, cached: true, seconds: span.end('cached', 'made by another process') };
    const record = await makeLayer(context, store, layer, options, span);
    return { record, cached: false, seconds: span.end('done') };
  } catch (error) {
    span.end('failed');
    throw isOutOfSpace(error) ? await diskFull(context, error) : error;
  }
}

/** Says which disk is full and how much a build needs there; undoing has made room again by now. */
async function diskFull({ host, home }: Context, error: unknown): Promise<IngotError> {
  const free = await host.files.freeSpace(home.root);
  return new IngotError(
    'space',
    'disk-full',
    `The disk of ${home.root} became full; a build needs ${formatSize(SPACE_NEEDED)} there and had ${formatSize(free)} left after cleaning up`,
    {
      cause: error,
      hint: 'Free some space there (`ingot image prune`), or set INGOT_HOME to a larger disk. Nothing half-made was kept.',
    },
  );
}

async function makeLayer(context: Context, store: Store, layer: LayerPlan, options: LayerOptions, span: Span): Promise<LayerRecord> {
  const start = context.host.clock.monotonic();
  await using scratch = await makeScratch(context.host, context.home, `building ${layer.name}`);
  const output = hostPath(join(scratch.path, 'layer.qcow2'));
  // Made by the user who runs ingot, so that it stays theirs when the helper fills it as root.
  await context.host.files.write(output, '');
  const { bootstrap } = await import('../sources/bootstrap/bootstrap.ts');
  await bootstrap(context, layer.recipe, {
    mirrors: options.mirrors,
    offline: options.offline,
    workspace: await choosePlace(context, undefined),
    scratch: scratch.path,
    output,
    span,
    ...(options.debugShell ? { onFailure: (root, error) => openDebugShell(context, root, error) } : {}),
  });
  return await store.commitLayer(output, {
    key: layer.key,
    name: layer.name,
    virtualSize: layer.recipe.disk.size,
    seconds: (context.host.clock.monotonic() - start) / 1000,
    packages: [...layer.packages],
    inputs: { ...layer.inputs },
  });
}

async function openDebugShell(context: Context, root: GuestRoot, error: unknown): Promise<void> {
  if (context.signal.aborted) return;
  const cause = toIngotError(error);
  context.events.message('error', [cause.message, cause.detail ?? ''].join('\n'));
  context.events.message('info', 'This is a shell where the step failed. Leave it with `exit`; then everything is taken down.');
  await context.attach(root.shellCommand());
}

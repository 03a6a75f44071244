import { join } from 'node:path';
import { IngotError, isOutOfSpace, toIngotError } from '../base/errors.ts';
import type { Span } from '../base/events.ts';
import { takeLock } from '../base/lock.ts';
import { makeScratch } from '../base/scratch.ts';
import { formatSize, hexOf, hostPath } from '../base/types.ts';
import type { Context } from '../operations/operation.ts';
import { layerFailure } from './apply/program.ts';
import type { Secrets } from '../base/secrets.ts';
import { compressLayer } from '../disk/compress.ts';
import type { LayerPlan } from '../plan/layers.ts';
import type { LayerCache } from '../remotes/layer-cache.ts';
import { makeOverlay } from '../platforms/local/overlay.ts';
import type { Archives } from '../sources/bootstrap/mirrors.ts';
import type { LayerRecord } from '../store/model.ts';
import type { Store } from '../store/store.ts';
import { findReady } from './ready.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import type { Place, PlaceKind } from '../workspace/place.ts';

/** Free bytes that a build needs at the home: packages, their expanded copies, and the layer. */
export const SPACE_NEEDED = 2 * 2 ** 30;

export interface LayerOptions {
  /** Where packages are downloaded from. */
  readonly archives: Archives;
  readonly offline: boolean;
  readonly debugShell: boolean;
  readonly secrets: Secrets;
  /** Where disks are opened. */
  readonly workspace: PlaceKind;
  /** Opens the place, or hands on one that served the layer before; whoever gave it closes it. */
  readonly place: () => Promise<Place>;
  /** The command that makes the same layer and opens a shell where it fails. */
  readonly shellCommand: string;
  /** Layers that other machines made. */
  readonly cache?: () => Promise<LayerCache | undefined>;
  /** Called before the first layer that has to be made: what a build needs of the host is asked for only then. */
  readonly beforeWork: () => Promise<void>;
}

export interface LayerOutcome {
  readonly record: LayerRecord;
  readonly cached: boolean;
  readonly seconds: number;
}

/**
 * The layer of a plan on the layers below it (bottom first): from the cache, or made now. One process makes a layer, others that want it wait and
 * say so. Throws `step-failed` and the like.
 */
export async function ensureLayer(
  context: Context,
  store: Store,
  layer: LayerPlan,
  below: readonly LayerRecord[],
  options: LayerOptions,
): Promise<LayerOutcome> {
  const span = context.events.span('layer', layer.name);
  try {
    const ready = await findReady(context, store, layer, below, options.offline);
    if (ready !== undefined) return { record: ready, cached: true, seconds: span.end('cached') };
    if (layer.maxAge !== undefined && options.offline) throw needsNetwork(layer);
    const cache = await options.cache?.();
    if (cache !== undefined && (await cache.fetch(layer, below.at(-1)?.digest))) {
      const fetched = await findReady(context, store, layer, below, options.offline);
      if (fetched !== undefined) return { record: fetched, cached: true, seconds: span.end('cached', 'from the cache of the settings') };
    }
    await options.beforeWork();
    await using _lock = await takeLock(context.host, context.home, `layer-${hexOf(layer.key).slice(0, 16)}`, {
      what: `building the layer ${layer.name}`,
      signal: context.signal,
      onWait: (owner) => context.events.message('info', `Waiting for process ${owner?.pid ?? '?'}, which is ${owner?.what ?? 'making the same layer'}.`),
    });
    const made = await findReady(context, store, layer, below, options.offline);
    if (made !== undefined) return { record: made, cached: true, seconds: span.end('cached', 'made by another process') };
    const record = await makeLayer(context, store, layer, below, options, span);
    await cache?.push(record, below);
    return { record, cached: false, seconds: span.end('done') };
  } catch (error) {
    span.end('failed');
    throw isOutOfSpace(error) ? await outOfSpace(context, layer, error) : layerFailure(error, layer, `Open a shell where it failed: ${options.shellCommand}`);
  }
}

function needsNetwork(layer: LayerPlan): IngotError {
  return new IngotError('usage', 'step-needs-network', `The step "${layer.name}" uses the network, and is not cached`, {
    hint: 'Build it once without --offline.',
  });
}

/** Which disk is full: a program in the image sees no other than the image's own; everything else is this host's. */
async function outOfSpace(context: Context, layer: LayerPlan, error: unknown): Promise<IngotError> {
  // It says already which disk.
  if (error instanceof IngotError && error.code === 'disk-full' && error.cause === undefined) return error;
  const inImage = layer.kind !== 'bootstrap' && error instanceof IngotError && ['command-failed', 'step-failed'].includes(error.code);
  if (!inImage) return await diskFull(context, error);
  return new IngotError('space', 'image-full', `The image's disk of ${formatSize(layer.virtualSize)} became full while the layer "${layer.name}" was made`, {
    cause: error,
    hint: 'Give it a larger disk: `disk: { size: 8GiB }` in the template, or --size.',
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
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

async function makeLayer(
  context: Context,
  store: Store,
  layer: LayerPlan,
  below: readonly LayerRecord[],
  options: LayerOptions,
  span: Span,
): Promise<LayerRecord> {
  const { host, home } = context;
  const start = host.clock.monotonic();
  await using scratch = await makeScratch(host, home, `building ${layer.name}`);
  const output = hostPath(join(scratch.path, 'layer.qcow2'));
  const onFailure = options.debugShell
    ? (root: Pick<GuestRoot, 'shellCommand'>, error: unknown): Promise<void> => openDebugShell(context, root, error)
    : undefined;
  const common = { offline: options.offline, scratch: scratch.path, span, ...(onFailure === undefined ? {} : { onFailure }) };
  const { recipe } = layer;
  const parent = below.at(-1);
  if (recipe.kind === 'bootstrap') {
    // Made by the user who runs ingot, so that it stays theirs when the helper fills it as root.
    await host.files.write(output, '');
    const { bootstrap } = await import('../sources/bootstrap/bootstrap.ts');
    await bootstrap(context, recipe, { ...common, mirrors: options.archives, workspace: options.workspace, output });
  } else {
    if (parent === undefined) throw new IngotError('internal', 'layer-baseless', `The layer ${layer.name} has nothing to stand on`);
    const overlay = hostPath(join(scratch.path, 'overlay.qcow2'));
    const chain = below.map(({ digest }) => hostPath(home.blob(digest)));
    await makeOverlay(host, overlay, hostPath(home.blob(parent.digest)), layer.virtualSize);
    const { applyLayer } = await import('./apply/apply.ts');
    await applyLayer(context, { ...layer, recipe }, { ...common, place: options.place, chain, overlay, archives: options.archives, secrets: options.secrets });
    await compressLayer(host, chain, overlay, output, context.signal);
  }
  return await store.commitLayer(output, {
    key: layer.key,
    name: layer.name,
    kind: layer.kind,
    ...(parent === undefined ? {} : { parent: parent.digest }),
    virtualSize: layer.virtualSize,
    seconds: (host.clock.monotonic() - start) / 1000,
    packages: [...layer.packages],
    ...(layer.removed.length === 0 ? {} : { removed: [...layer.removed] }),
    inputs: { ...layer.inputs },
  });
}

async function openDebugShell(context: Context, root: Pick<GuestRoot, 'shellCommand'>, error: unknown): Promise<void> {
  if (context.signal.aborted) return;
  const cause = toIngotError(error);
  context.events.message('error', [cause.message, cause.detail ?? ''].join('\n'));
  context.events.message('info', 'This is a shell where the step failed. Leave it with `exit`; then everything is taken down.');
  await context.attach(root.shellCommand());
}

import { IngotError } from '../../base/errors.ts';
import { masker } from '../../base/secrets.ts';
import type { Secrets } from '../../base/secrets.ts';
import type { Span } from '../../base/events.ts';
import type { HostPath } from '../../base/types.ts';
import type { Context } from '../../operations/operation.ts';
import type { LayerPlan } from '../../plan/layers.ts';
import type { Archives } from '../../sources/bootstrap/mirrors.ts';
import { DEBS, PackageFolder } from '../../sources/bootstrap/package-folder.ts';
import type { GuestRoot } from '../../workspace/guest-root.ts';
import type { Place } from '../../workspace/place.ts';
import { openWorkspace, type Workspace } from '../../workspace/workspace.ts';
import { applyAnsible } from './ansible.ts';
import { applyChange } from './change.ts';
import { applyCopy } from './copy.ts';
import { applyProgram } from './program.ts';
import { refuseRegistered } from './registration.ts';
import { sealRoot } from './seal.ts';

export interface ApplyOptions {
  /** Opens the place, or hands on the one that is open. */
  readonly place: () => Promise<Place>;
  /** A scratch folder of this layer. */
  readonly scratch: HostPath;
  /** The layers below, bottom first. */
  readonly chain: readonly HostPath[];
  /** The new layer's file: an empty overlay on the last of them. */
  readonly overlay: HostPath;
  readonly archives: Archives;
  readonly offline: boolean;
  readonly secrets: Secrets;
  readonly span: Span;
  /** Called with the root where a step failed, before everything is torn down. */
  readonly onFailure?: (root: Pick<GuestRoot, 'shellCommand'>, error: unknown) => Promise<void>;
}

/** What the parts of a layer work with. */
export interface ApplyContext extends Pick<ApplyOptions, 'scratch' | 'secrets' | 'span' | 'offline'> {
  readonly place: Place;
  readonly context: Context;
  /** From now on these values are hidden in what the layer's programs print, and in errors. */
  mask(values: readonly string[]): void;
  /** From now on the layer is refused where a file holds one of these values when it is sealed. */
  refuse(values: readonly string[]): void;
  /** Shows what a program of the layer printed, which did not come through the workspace. */
  output(text: string, stream: 'stdout' | 'stderr'): void;
}

/** A layer that is made on top of others. */
export type UpperLayer = LayerPlan & { readonly recipe: Exclude<LayerPlan['recipe'], { kind: 'bootstrap' }> };

/**
 * Makes a layer above the base: opens the disk, does what the recipe says, seals the system and closes it. Nothing of it counts before this
 * has returned. Secrets are masked in output and errors.
 */
export async function applyLayer(context: Context, layer: UpperLayer, options: ApplyOptions): Promise<void> {
  const { span } = options;
  await using undo = new AsyncDisposableStack();
  const packages = undo.use(startFetching(context, layer, options));
  let hidden: string[] = [];
  let mask = masker([]);
  const traces: string[] = [];
  const place = await options.place();
  const apply: ApplyContext = {
    ...options,
    place,
    context,
    mask(values) {
      hidden = [...hidden, ...values];
      mask = masker(hidden);
    },
    refuse: (values) => void traces.push(...values),
    output: (text, stream) => span.output(mask.text(text), stream),
  };
  try {
    const { recipe } = layer;
    if ('step' in recipe && recipe.machine !== undefined) {
      const { runBooted } = await import('./booted.ts');
      await runBooted(
        apply,
        recipe.step,
        recipe.machine,
        options,
        async (shell, error) => await options.onFailure?.({ shellCommand: () => shell }, mask.error(error)),
      );
    }
    const grow = 'grow' in recipe && recipe.grow === true;
    await using workspace = await openWorkspace(place, { ...options, grow, onOutput: apply.output });
    try {
      const folder = await packages.folder;
      if (folder !== undefined) workspace.root.bindReadOnly(DEBS, await place.provide(folder));
      if ('quiet' in layer.recipe) await workspace.root.writeFiles(layer.recipe.quiet ?? []);
      await applyRecipe(apply, workspace, layer);
      await sealRoot(workspace.root, layer.recipe);
      if ('registration' in layer.recipe && layer.recipe.registration !== undefined) await refuseRegistered(workspace.root, layer.recipe.registration, traces);
    } catch (error) {
      await packages.failed();
      await options.onFailure?.(workspace.root, mask.error(error));
      throw await causedByFullHost(context, error);
    }
    await workspace.commit();
  } catch (error) {
    throw hidden.length === 0 ? error : mask.error(error);
  }
}

/** Bytes below which a disk counts as full. */
const FULL = 16 * 2 ** 20;

/** In a workspace a full disk of the host shows as an error of reading or writing, and is told as what it is; asked before undoing makes room again. */
async function causedByFullHost({ host, home }: Context, error: unknown): Promise<unknown> {
  if ((await host.files.freeSpace(home.root)) >= FULL) return error;
  return new IngotError('space', 'disk-full', `The disk of ${home.root} became full`, { cause: error });
}

async function applyRecipe(apply: ApplyContext, workspace: Workspace, { recipe }: UpperLayer): Promise<void> {
  if (recipe.kind === 'copy') return await applyCopy(apply, workspace, recipe);
  if (!('step' in recipe)) return await applyChange(apply, workspace, recipe);
  if (recipe.machine !== undefined) return; // It ran in the booted layer; what is left is to seal it.
  if (recipe.step.kind === 'ansible') return await applyAnsible(apply, workspace, { step: recipe.step, family: recipe.family });
  return await applyProgram(apply, workspace, recipe.step);
}

interface Fetching extends AsyncDisposable {
  /** Where the packages are, once they all are; undefined where the layer installs none. */
  readonly folder: Promise<HostPath | undefined>;
  /** To be called when installing them failed. */
  failed(): Promise<void>;
}

/** Starts to download and expand the packages that a layer installs; when it is disposed of, nothing writes into the scratch folder any more. */
function startFetching(context: Context, { recipe }: UpperLayer, options: ApplyOptions): Fetching {
  const install = 'install' in recipe ? recipe.install : undefined;
  if (install === undefined || install.packages.length === 0) {
    return { folder: Promise.resolve(undefined), failed: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const { archives, offline, scratch, span } = options;
  const packages = new PackageFolder(context, install.packages, { mirrors: archives, offline, scratch, span, readsZstd: install.readsZstd });
  const stop = new AbortController();
  const folder = packages.fill(AbortSignal.any([context.signal, stop.signal])).then(() => packages.folder);
  folder.catch(() => undefined); // awaited when the disk is open; it may fail before
  return {
    folder,
    failed: () => packages.forgetQuick(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await folder.catch(() => undefined);
    },
  };
}

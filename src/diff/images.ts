import type { Digest, Key } from '../base/types.ts';
import type { Image, ImageConfig, ImageDetails, InstalledPackage } from '../store/model.ts';

/*
 * How two images differ, from their configs alone: no disk is opened.
 */

export interface PackageChange {
  readonly name: string;
  readonly arch: string;
  /** Version in the first image; absent where only the second has it. */
  readonly before?: string;
  readonly after?: string;
}

/** A value of the config that only one image has, or that differs. Each element of a list is a value of its own. */
export interface ConfigChange {
  /** Where it stands: `disk.size`, `labels.purpose`. */
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

export interface LayerDifference {
  readonly name: string;
  readonly kind?: string;
  readonly key: Key;
  readonly in: 'both' | 'before' | 'after';
  /** Both images have the layer of this key, but it was made twice, with other bytes. */
  readonly madeAnew: boolean;
  /** Bytes in the store, of the one that is in the second image where it is in both. */
  readonly size: number;
}

/** The packages that an image has: those of its layers, each layer changing what lies below. Sorted by name. */
export function installedPackages(details: Pick<ImageDetails, 'layers'>): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  for (const layer of details.layers) {
    const removed = new Set(layer.removed ?? []);
    if (removed.size > 0) for (const [id, { name }] of found) if (removed.has(name)) found.delete(id);
    for (const one of layer.packages) found.set(`${one.name}:${one.arch}`, one);
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

/** Packages that were added, removed, or have another version; sorted by name. */
export function comparePackages(before: Pick<ImageDetails, 'layers'>, after: Pick<ImageDetails, 'layers'>): PackageChange[] {
  const [first, second] = [before, after].map((details) => new Map(installedPackages(details).map((one) => [`${one.name}:${one.arch}`, one])));
  const ids = [...new Set([...(first?.keys() ?? []), ...(second?.keys() ?? [])])].toSorted();
  return ids.flatMap((id) => {
    const [old, young] = [first?.get(id), second?.get(id)];
    const one = young ?? old;
    if (one === undefined || old?.version === young?.version) return [];
    return [{ name: one.name, arch: one.arch, ...versions(old?.version, young?.version) }];
  });
}

function versions(before: string | undefined, after: string | undefined): { before?: string; after?: string } {
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

/** The layers of both images: shared ones, then those of the first alone, then those of the second alone; each bottom first. */
export function compareLayers(before: Pick<Image, 'config' | 'layers'>, after: Pick<Image, 'config' | 'layers'>): LayerDifference[] {
  const [old, young] = [layersByKey(before), layersByKey(after)];
  const lines = (from: typeof old, where: LayerDifference['in']): LayerDifference[] =>
    [...from].map(([key, { told, digest, size }]) => ({
      name: told.name,
      ...(told.kind === undefined ? {} : { kind: told.kind }),
      key,
      in: where,
      madeAnew: where === 'both' && old.get(key)?.digest !== digest,
      size,
    }));
  const pick = (from: typeof old, keep: (key: Key) => boolean): typeof old => new Map([...from].filter(([key]) => keep(key)));
  return [
    ...lines(
      pick(young, (key) => old.has(key)),
      'both',
    ),
    ...lines(
      pick(old, (key) => !young.has(key)),
      'before',
    ),
    ...lines(
      pick(young, (key) => !old.has(key)),
      'after',
    ),
  ];
}

function layersByKey({ config, layers }: Pick<Image, 'config' | 'layers'>): Map<Key, { told: ImageDetails['layers'][number]; digest: Digest; size: number }> {
  const told = config['dev.ingot.image'].layers;
  return new Map(layers.flatMap(({ digest, size }, i) => (told[i] === undefined ? [] : [[told[i].key, { told: told[i], digest, size }]])));
}

/** What differs between two configs, but for layers and packages; sorted by where it stands. */
export function compareConfigs(before: ImageConfig, after: ImageConfig): ConfigChange[] {
  const [old, young] = [valuesOf(before), valuesOf(after)];
  const paths = [...new Set([...old.keys(), ...young.keys()])].toSorted();
  return paths.flatMap((path): ConfigChange[] => {
    const [a, b] = [old.get(path) ?? [], young.get(path) ?? []];
    const [gone, come] = [a.filter((value) => !b.includes(value)), b.filter((value) => !a.includes(value))];
    const [first] = gone;
    const [second] = come;
    if (gone.length === 1 && come.length === 1 && first !== undefined && second !== undefined) return [{ path, before: first, after: second }];
    return [...gone.map((value) => ({ path, before: value })), ...come.map((value) => ({ path, after: value }))];
  });
}

/** The values of a config as text, by where they stand; the elements of a list stand at the same place. */
function valuesOf(image: ImageConfig): Map<string, string[]> {
  const { 'dev.ingot.image': details, rootfs: _, config, ...rest } = image;
  const { layers: __, v: ___, ...told } = details;
  const values = new Map<string, string[]>();
  const add = (path: string, value: unknown): void => {
    if (value === undefined) return;
    if (Array.isArray(value)) for (const element of value) add(path, isObject(element) ? JSON.stringify(element) : element);
    else if (isObject(value)) for (const [key, inner] of Object.entries(value)) add(path === '' ? key : `${path}.${key}`, inner);
    else values.set(path, [...(values.get(path) ?? []), typeof value === 'string' ? value : JSON.stringify(value)]);
  };
  add('', { ...rest, ...told, labels: config?.Labels ?? {} });
  return values;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest } from '../base/types.ts';
import { readChains, type ImageChain } from './chains.ts';
import { readJsonBlob } from './manifest.ts';
import { imageConfigSchema, type Descriptor } from './model.ts';

/** A line of the tree: an image, or layers that several images share and no image ends with. */
export interface TreeNode {
  /** 0 for a root; a node stands beneath the nearest node before it with a smaller depth. */
  readonly depth: number;
  /** Absent where it is shared layers alone. */
  readonly image?: ImageChain;
  /** Name of the topmost layer; absent for images. */
  readonly layer?: string;
  /** The layers that it adds to its parent, bottom first. */
  readonly own: readonly Descriptor[];
  /** Bytes of those; all images' own bytes together are what the images take. */
  readonly ownSize: number;
  /** Bytes of the whole chain. */
  readonly size: number;
  /** Images beneath it. */
  readonly beneath: number;
}

/** The store's images by shared layers: bases at the root, what stands on them beneath. Opens manifests, and a config only to name shared layers. */
export async function readTree(host: Pick<Host, 'files'>, home: Home): Promise<TreeNode[]> {
  const nodes = imageTree(await readChains(host, home));
  return await Promise.all(
    nodes.map(async ({ namedBy, ...node }) => (namedBy === undefined ? node : { ...node, layer: await layerName(host, home, namedBy) })),
  );
}

interface Unnamed extends Omit<TreeNode, 'layer'> {
  /** Where the name of a shared layer is found: the config of an image that has it, at this position. */
  readonly namedBy?: { readonly chain: ImageChain; readonly position: number };
}

/** A layer on its parents, and what stands on it. */
interface Place {
  readonly images: ImageChain[];
  readonly next: Map<Digest, Place>;
}

/** Puts chains together by their common beginnings; pure. Siblings are sorted by name, the newest first. */
export function imageTree(chains: readonly ImageChain[]): Unnamed[] {
  const root: Place = { images: [], next: new Map() };
  for (const chain of chains) {
    let place = root;
    for (const { digest } of chain.layers) {
      let next = place.next.get(digest);
      if (next === undefined) {
        next = { images: [], next: new Map() };
        place.next.set(digest, next);
      }
      place = next;
    }
    place.images.push(chain);
  }
  const unreadable = root.images.toSorted(compareImages).map((image) => lineOf(image, 0, 0, 0));
  return [...branches(root, 0, 0).flat(), ...unreadable];
}

/** The subtrees that stand on a place, sorted; `bottom` is how many layers lie beneath. */
function branches(place: Place, depth: number, bottom: number): Unnamed[][] {
  const subtrees = [...place.next.values()].map((next) => {
    let [at, top] = [next, bottom + 1];
    // Layers that nothing branches off, and no image ends with, belong to what stands on them.
    for (let only = soleNext(at); only !== undefined; only = soleNext(at)) [at, top] = [only, top + 1];
    return subtree(at, depth, bottom, top);
  });
  return subtrees.toSorted((a, b) => compare(a[0], b[0]));
}

function soleNext(place: Place): Place | undefined {
  return place.images.length === 0 && place.next.size === 1 ? [...place.next.values()][0] : undefined;
}

/** A place with its own line or lines first. Where several images have the same layers, all but the first are lines without own bytes. */
function subtree(place: Place, depth: number, bottom: number, top: number): Unnamed[] {
  const children = branches(place, depth + 1, top);
  const beneath = children.flat().filter((node) => node.image !== undefined).length;
  const [first, ...others] = place.images.toSorted(compareImages);
  if (first !== undefined) {
    const twins = others.map((image) => lineOf(image, depth + 1, top, 0));
    return [lineOf(first, depth, bottom, beneath + twins.length), ...twins, ...children.flat()];
  }
  const chain = children[0]?.find((node) => node.image !== undefined)?.image;
  if (chain === undefined) return children.flat();
  const layers = chain.layers.slice(0, top);
  return [{ depth, ...sizes(layers, bottom), beneath, namedBy: { chain, position: top - 1 } }, ...children.flat()];
}

function lineOf(image: ImageChain, depth: number, bottom: number, beneath: number): Unnamed {
  return { depth, image, ...sizes(image.layers, bottom), beneath };
}

function sizes(layers: readonly Descriptor[], bottom: number): Pick<TreeNode, 'own' | 'ownSize' | 'size'> {
  const own = layers.slice(bottom);
  return { own, ownSize: sumOf(own), size: sumOf(layers) };
}

function sumOf(layers: readonly Descriptor[]): number {
  return layers.reduce((sum, layer) => sum + layer.size, 0);
}

/** Images by name, those with a tag first, the newest first; shared layers before images. */
function compare(a: Unnamed | undefined, b: Unnamed | undefined): number {
  if (a?.image === undefined || b?.image === undefined) return Number(a?.image !== undefined) - Number(b?.image !== undefined);
  return compareImages(a.image, b.image);
}

function compareImages(a: ImageChain, b: ImageChain): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  const latest = Number(isLatest(b)) - Number(isLatest(a));
  return latest === 0 ? Date.parse(b.created) - Date.parse(a.created) : latest;
}

function isLatest(image: ImageChain): boolean {
  return image.references.some((reference) => reference.endsWith(':latest'));
}

async function layerName(host: Pick<Host, 'files'>, home: Home, { chain, position }: NonNullable<Unnamed['namedBy']>): Promise<string> {
  if (chain.config === undefined) return '';
  const config = await readJsonBlob(host, home, chain.config, imageConfigSchema).catch(() => undefined);
  return config?.['dev.ingot.image'].layers[position]?.name ?? '';
}

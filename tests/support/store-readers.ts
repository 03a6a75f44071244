import { IngotError } from '../../src/base/errors.ts';
import type { Key } from '../../src/base/types.ts';
import type { Store } from '../../src/store/store.ts';

/** What is always in the store, however others change it: an image, and a layer that it stands on. */
export interface AlwaysThere {
  readonly image: string;
  readonly layer: Key;
}

export interface ReadReport {
  readonly reads: number;
  /** What a reader saw that cannot be: half a change, or an image that is called damaged. */
  readonly torn: readonly string[];
}

/** What a reader may be told of something that comes and goes. */
const GONE = ['image-unknown'];

/**
 * Reads a store with many readers at once until told to stop: lists, resolves what is always there and what comes and goes, finds layers, and
 * looks at chains. At least one round each.
 */
export async function readStore(store: Store, always: AlwaysThere, count: number, until: () => boolean): Promise<ReadReport> {
  const torn: string[] = [];
  let reads = 0;
  const reader = async (number: number): Promise<void> => {
    for (let round = number; ; round++) {
      try {
        torn.push(...(await readOnce(store, always, round)));
      } catch (error) {
        torn.push(`round ${round}: ${error instanceof IngotError ? error.code : ''} ${String(error)}`);
      }
      reads += 1;
      if (until()) return;
    }
  };
  await Promise.all(Array.from({ length: count }, (_, number) => reader(number)));
  return { reads, torn };
}

const LOOKS = [lookAtList, lookAtImage, lookAtWhatComesAndGoes, lookAtLayers, lookAtChains] as const;

function readOnce(store: Store, always: AlwaysThere, round: number): Promise<string[]> {
  return (LOOKS[round % LOOKS.length] ?? lookAtList)(store, always);
}

async function lookAtList(store: Store, { image }: AlwaysThere): Promise<string[]> {
  const list = await store.list({ untagged: true });
  const references = list.filter(({ tag }) => tag !== '').map(({ name, tag }) => `${name}:${tag}`);
  return [
    ...(references.includes(image) ? [] : [`${image} is not in the list`]),
    ...(new Set(references).size === references.length ? [] : ['a reference is in the list twice']),
    ...list
      .filter(({ name, digest, virtualSize }) => name === '' || digest.length !== 71 || virtualSize === 0)
      .map(({ digest }) => `a line of ${digest} is half`),
  ];
}

async function lookAtImage(store: Store, { image }: AlwaysThere): Promise<string[]> {
  const { config, layers, references } = await store.resolve(image);
  const fits = config.rootfs.diff_ids.join() === layers.map(({ digest }) => digest).join() && references.includes(image);
  return fits ? [] : [`${image} has other layers than its config says`];
}

async function lookAtWhatComesAndGoes(store: Store): Promise<string[]> {
  const list = await store.list();
  const one = list[Math.floor(Math.random() * list.length)];
  if (one === undefined) return ['the list is empty'];
  try {
    const { layers } = await store.resolve(`${one.name}:${one.tag}`);
    return layers.length > 0 ? [] : [`${one.name} has no layers`];
  } catch (error) {
    if (error instanceof IngotError && GONE.includes(error.code)) return [];
    throw error;
  }
}

async function lookAtLayers(store: Store, { layer }: AlwaysThere): Promise<string[]> {
  const record = await store.findLayer(layer);
  return record?.key === layer ? [] : ['the layer that is always there was not found'];
}

async function lookAtChains(store: Store, { image }: AlwaysThere): Promise<string[]> {
  const chains = await store.chains();
  return [
    ...chains.filter(({ damaged }) => damaged !== undefined).map(({ name, damaged }) => `${name} is called damaged: ${damaged}`),
    ...(chains.some(({ references }) => references.includes(image)) ? [] : [`${image} is in no chain`]),
  ];
}

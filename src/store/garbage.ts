import { basename, join } from 'node:path';
import { systemErrorCode } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isDigest, type Digest } from '../base/types.ts';
import { parseQcow2Header, QCOW2_LIMITS } from '../disk/qcow2.ts';
import { parseRecord } from './layers.ts';
import { isImage, type IndexEntry } from './index-file.ts';
import { manifestSchema, readJsonBlob, type Manifest } from './manifest.ts';
import { ANNOTATIONS, type LayerRecord } from './model.ts';
import type { ImageUse } from './types.ts';

/** What a collection takes away. */
export interface Garbage {
  readonly layers: readonly LayerRecord[];
  /** Paths of records and blobs that go, records first: a record never outlives its blob. */
  readonly files: readonly string[];
  readonly freed: number;
  /** Why something that could go is kept. */
  readonly kept: readonly string[];
}

export interface GarbageQuestion {
  /** The index as it will be. */
  readonly entries: readonly IndexEntry[];
  readonly inUse: ImageUse;
  /** Whether a layer that no image holds may leave the cache. */
  readonly mayDrop: (record: LayerRecord) => boolean;
}

/** All that the store holds, read once, so that questions about it cost nothing. */
export interface Inventory {
  /** By digest, of every entry asked for and of images that VMs use; undefined where it cannot be read. */
  readonly manifests: ReadonlyMap<Digest, Manifest | undefined>;
  readonly records: readonly LayerRecord[];
  /** Paths of records that cannot be read. */
  readonly invalid: readonly string[];
  /** Blobs that disks of VMs and files in the making stand on. */
  readonly standing: ReadonlySet<Digest>;
  /** Paths of blobs and records -> bytes on the disk. */
  readonly files: ReadonlyMap<string, number>;
  readonly blobs: readonly Digest[];
}

/** Reads the inventory for an index. The caller holds the store's lock, or only wants to know. */
export async function readInventory(host: Host, home: Home, entries: readonly IndexEntry[], inUse: ImageUse): Promise<Inventory> {
  const wanted = new Map<Digest, number>(entries.map(({ digest, size }) => [digest, size]));
  // A VM can stand on an image that the index has lost.
  for (const digest of inUse.keys()) {
    const size = (await host.files.status(home.blob(digest)))?.size;
    if (size !== undefined && !wanted.has(digest)) wanted.set(digest, size);
  }
  const manifests = new Map(await Promise.all([...wanted].map(async ([digest, size]) => [digest, await manifestOf(host, home, { digest, size })] as const)));
  const { records, invalid } = await recordFiles(host, home);
  const blobs = (await host.files.list(home.blobs)).map((name) => `sha256:${name}`).filter(isDigest);
  const paths = [...blobs.map((digest) => home.blob(digest)), ...records.map((record) => home.layer(record.key)), ...invalid];
  const files = new Map(await Promise.all(paths.map(async (path) => [path, (await host.files.status(path))?.allocated ?? 0] as const)));
  return { manifests, records, invalid, standing: await standingOn(host, home), files, blobs };
}

/** {@link garbageOf} of the store as it is now. */
export async function findGarbage(host: Host, home: Home, question: GarbageQuestion): Promise<Garbage> {
  return garbageOf(home, await readInventory(host, home, question.entries, question.inUse), question);
}

/**
 * What nothing refers to: layer records that may be dropped, and blobs that no image, statement, remaining record, VM or running build stands
 * on. Pure. Nothing at all where a manifest cannot be read: what its image needs is not known.
 */
export function garbageOf(home: Home, inventory: Inventory, question: GarbageQuestion): Garbage {
  const held = heldBlobs(inventory, question);
  if (typeof held === 'string') return { layers: [], files: [], freed: 0, kept: [held] };
  const keptRecords = keepChains(inventory.records, held, question.mayDrop);
  for (const record of keptRecords) {
    held.add(record.digest);
    if (record.parent !== undefined) held.add(record.parent);
  }
  const layers = inventory.records.filter((record) => !keptRecords.has(record));
  const files = [
    ...layers.map((record) => home.layer(record.key)),
    ...inventory.invalid,
    ...inventory.blobs.filter((digest) => !held.has(digest)).map((digest) => home.blob(digest)),
  ];
  return { layers, files, freed: files.reduce((sum, file) => sum + (inventory.files.get(file) ?? 0), 0), kept: [] };
}

/** Removes what was found, records before blobs. */
export async function removeGarbage(host: Host, garbage: Garbage): Promise<void> {
  for (const file of garbage.files) await host.files.remove(file);
}

/** The manifest of an entry, or undefined where it cannot be read. */
export async function manifestOf(host: Host, home: Home, entry: { readonly digest: Digest; readonly size: number }): Promise<Manifest | undefined> {
  return await readJsonBlob(host, home, entry, manifestSchema).catch(() => undefined);
}

/** The index without some images, and without the statements about images that it does not hold. */
export function withoutImages(entries: readonly IndexEntry[], gone: (entry: IndexEntry) => boolean): IndexEntry[] {
  const images = entries.filter((entry) => isImage(entry) && !gone(entry));
  const digests = new Set(images.map((entry) => entry.digest));
  return entries.filter((entry) => {
    const subject = entry.annotations[ANNOTATIONS.subject];
    if (isImage(entry)) return digests.has(entry.digest) && !gone(entry);
    return subject === undefined || (isDigest(subject) && digests.has(subject));
  });
}

/** Everything that must stay whatever the cache says; a sentence where that cannot be known. */
function heldBlobs({ manifests, standing }: Inventory, { entries, inUse }: GarbageQuestion): Set<Digest> | string {
  const held = new Set<Digest>(standing);
  const hold = (digest: Digest, manifest: Manifest | undefined): void => {
    held.add(digest);
    if (manifest === undefined) return;
    held.add(manifest.config.digest);
    for (const layer of manifest.layers) held.add(layer.digest);
  };
  for (const { digest } of entries) {
    const manifest = manifests.get(digest);
    if (manifest === undefined)
      return `No file was removed: the manifest ${digest} cannot be read, so what its image needs is not known. \`ingot image verify\` tells more.`;
    hold(digest, manifest);
  }
  for (const digest of inUse.keys()) hold(digest, manifests.get(digest));
  return held;
}

/**
 * The blobs that disks of VMs and files in the making stand on, whole chains: the header of each qcow2 in `vms/`, `frozen/` and `run/` names its
 * parent, and that its own. What a VM stands on stays so even where its image's manifest is lost, and the list of its layers with it.
 */
async function standingOn(host: Host, home: Home): Promise<Set<Digest>> {
  const found = new Set<Digest>();
  const look = async (folder: string): Promise<void> => {
    for (const file of await disksIn(host, folder)) {
      let parent = await parentOf(host, file);
      while (parent !== undefined && !found.has(parent)) {
        found.add(parent);
        parent = await parentOf(host, home.blob(parent));
      }
    }
  };
  // In this order: a VM appears out of scratch, and its disk is frozen after that; so none is missed.
  for (const id of await host.files.list(home.run)) await look(join(home.run, id));
  for (const name of await host.files.list(home.vms)) await look(join(home.vms, name));
  await look(home.frozen);
  return found;
}

/** The qcow2 files in a folder of a VM or of scratch and in the folders of it, where a VM in the making or under test has its own. */
async function disksIn(host: Host, folder: string): Promise<string[]> {
  const list = (path: string): Promise<string[]> => host.files.list(path).catch(() => []); // no folder, or not ours to look into
  const names = await list(folder);
  const inside = await Promise.all(names.map(async (name) => (await list(join(folder, name))).map((one) => join(name, one))));
  return [...names, ...inside.flat()].filter((name) => name.endsWith('.qcow2')).map((name) => join(folder, name));
}

/** The blob that a file's header names; undefined where it names none, or is not a layer yet, or gone meanwhile. */
async function parentOf(host: Host, path: string): Promise<Digest | undefined> {
  try {
    const { backing } = parseQcow2Header(await host.files.readPart(path, 0, QCOW2_LIMITS.headerBytes));
    const digest = `sha256:${basename(backing?.name ?? '')}`;
    return isDigest(digest) ? digest : undefined;
  } catch (error) {
    if (systemErrorCode(error) !== undefined && systemErrorCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

async function recordFiles(host: Host, home: Home): Promise<{ records: LayerRecord[]; invalid: string[] }> {
  const records: LayerRecord[] = [];
  const invalid: string[] = [];
  for (const name of (await host.files.list(home.layers)).filter((one) => one.endsWith('.json'))) {
    const record = parseRecord(await readTextIfThere(host.files, join(home.layers, name)));
    if (record !== undefined && home.layer(record.key) === join(home.layers, name)) records.push(record);
    else invalid.push(join(home.layers, name));
  }
  return { records, invalid };
}

/** The records that stay: those which may not go, those of held blobs, and all that these stand on. */
function keepChains(records: readonly LayerRecord[], held: ReadonlySet<Digest>, mayDrop: (record: LayerRecord) => boolean): Set<LayerRecord> {
  const byDigest = Map.groupBy(records, (record) => record.digest);
  const kept = new Set<LayerRecord>();
  const queue = records.filter((record) => held.has(record.digest) || !mayDrop(record));
  for (let record = queue.pop(); record !== undefined; record = queue.pop()) {
    if (kept.has(record)) continue;
    kept.add(record);
    if (record.parent !== undefined) queue.push(...(byDigest.get(record.parent) ?? []));
  }
  return kept;
}

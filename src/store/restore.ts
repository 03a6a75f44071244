import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { makeScratch } from '../base/scratch.ts';
import { hexOf, type Digest, type HostPath } from '../base/types.ts';
import { readBackup, type ArchiveImage, type BackupContent } from './archive.ts';
import { withStatement } from './gates.ts';
import { keepHistory } from './images.ts';
import { isImage, pointReferences, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { backingOf, headerBacking } from './layer-check.ts';
import { isWhole, readLayer } from './layers.ts';
import { copyMissing, headerOf, takeBlobs, writeRecords } from './load.ts';
import { ANNOTATIONS, type LayerRecord } from './model.ts';
import { archiveInvalid } from './tar.ts';
import type { RestoredImage, RestoreOptions, RestoreResult, TagConflict } from './types.ts';
import { changeStore, saveIndex } from './writing.ts';

/** {@link Store.restore} */
export async function restoreRegistry(host: Host, home: Home, backup: HostPath, options: RestoreOptions = {}): Promise<RestoreResult> {
  if ((await host.files.status(backup))?.kind !== 'file') throw new IngotError('not-found', 'file-missing', `${backup} is not a file`);
  const content = await readBackup(host, backup, host.clock.now().toISOString());
  const records = options.cache === false ? [] : content.records;
  if (options.dryRun === true) {
    const plan = planRestore(content, await readIndex(host, home), await missingLayers(host, home, content.images), options);
    const { fit, left } = await fittingRecords(host, home, records);
    return resultOf(content, plan, { added: fit.length, left });
  }

  await using scratch = await makeScratch(host, home, `restoring the registry from ${backup}`);
  const copied = await copyMissing(host, home, backup, content.blobs, scratch.path, options);
  return await changeStore(host, home, 'restoring the registry', async () => {
    const before = await readIndex(host, home);
    const plan = planRestore(content, before, await missingLayers(host, home, content.images), options);
    const { fit, left } = await fittingRecords(host, home, records);
    const wanted = new Map([...content.blobs].filter(([digest]) => plan.blobs.has(digest)));
    await takeBlobs(host, home, wanted, copied, (digest) => join(scratch.path, hexOf(digest)));
    const added = await writeRecords(host, home, fit);
    if (JSON.stringify(plan.next) !== JSON.stringify(before)) await saveIndex(host, home, plan.next);
    return resultOf(content, plan, { added, left });
  });
}

/** What a restore does to the index. */
export interface RestorePlan extends Pick<RestoreResult, 'images' | 'conflicts' | 'left' | 'statements'> {
  readonly next: readonly IndexEntry[];
  /** What of the backup's blobs it needs. */
  readonly blobs: ReadonlySet<Digest>;
}

/**
 * The index after a restore; pure. What the store has stays as it is: a tag that it has on another image moves with `force` alone. An image that
 * nothing would name comes back only where all its layers are here, since a VM can stand on it.
 */
export function planRestore(
  content: BackupContent,
  before: readonly IndexEntry[],
  missing: ReadonlySet<Digest>,
  { force = false }: Pick<RestoreOptions, 'force'>,
): RestorePlan {
  const holders = new Map(before.filter(isImage).flatMap((entry) => (referenceOf(entry) === undefined ? [] : [[referenceOf(entry), entry] as const])));
  const [images, left]: [RestoredImage[], Digest[]] = [[], []];
  const conflicts: TagConflict[] = [];
  const blobs = new Set<Digest>();
  let next: readonly IndexEntry[] = before;
  for (const { entry, references, manifest, config } of content.images) {
    const known = before.find((other) => isImage(other) && other.digest === entry.digest);
    const added = references.filter((reference) => {
      const holder = holders.get(reference);
      if (holder === undefined || holder.digest === entry.digest) return holder === undefined;
      conflicts.push({ reference, here: holder.digest, backup: entry.digest, hereIsNewer: timeOf(holder) > timeOf(entry) });
      return force;
    });
    const lacks = [...new Set(manifest.layers.map(({ digest }) => digest).filter((digest) => missing.has(digest)))];
    if (known === undefined && added.length === 0 && lacks.length > 0) {
      left.push(entry.digest);
      continue;
    }
    // An image that is here is left alone where nothing is added to it: what is known of it is as new as it can be.
    if (known === undefined || added.length > 0)
      next = pointReferences(next, marked(keepHistory(entry, before), known, lacks.length, manifest.layers.length), added);
    blobs.add(entry.digest).add(manifest.config.digest);
    images.push({ digest: entry.digest, template: config['dev.ingot.image'].template, added, isNew: known === undefined, missing: lacks });
  }
  const restored = new Set(images.map(({ digest }) => digest));
  const statements = content.statements.filter(({ entry, subject }) => restored.has(subject) && !before.some(({ digest }) => digest === entry.digest));
  for (const { entry, subject, blobs: parts } of statements) {
    next = withStatement(next, entry, subject);
    for (const digest of parts) blobs.add(digest);
  }
  return { next, blobs, images, conflicts, left, statements: statements.length };
}

/** The entry with what `image verify` found before, or with what is missing now. */
function marked(entry: IndexEntry, known: IndexEntry | undefined, lacks: number, layers: number): IndexEntry {
  const mark =
    known?.annotations[ANNOTATIONS.damaged] ?? (lacks === 0 ? undefined : `${lacks} of its ${layers} layers are not in the store, and no backup has them`);
  return mark === undefined ? entry : { ...entry, annotations: { ...entry.annotations, [ANNOTATIONS.damaged]: mark } };
}

function timeOf(entry: IndexEntry): number {
  return Date.parse(entry.annotations[ANNOTATIONS.created] ?? '') || 0;
}

async function missingLayers(host: Host, home: Home, images: readonly ArchiveImage[]): Promise<Set<Digest>> {
  const layers = new Map(images.flatMap(({ manifest }) => manifest.layers.map((layer) => [layer.digest, layer] as const)));
  const missing = new Set<Digest>();
  for (const layer of layers.values()) if (!(await isWhole(host, home, layer))) missing.add(layer.digest);
  return missing;
}

/** The records that the cache does not know, of layers that are here. Throws `archive-invalid` where one tells of its layer what its header does not. */
async function fittingRecords(host: Host, home: Home, records: readonly LayerRecord[]): Promise<{ readonly fit: LayerRecord[]; readonly left: number }> {
  const fit: LayerRecord[] = [];
  let left = 0;
  for (const record of records) {
    if ((await readLayer(host, home, record.key)) !== undefined) continue;
    const parent = record.parent === undefined ? undefined : await host.files.status(home.blob(record.parent));
    if (!(await isWhole(host, home, record)) || (record.parent !== undefined && parent === undefined)) {
      left += 1;
      continue;
    }
    const header = await headerOf(host, home.blob(record.digest), record.digest);
    const fits = header.virtualSize === record.virtualSize && header.snapshots === 0 && headerBacking(header) === backingOf(record.parent);
    if (!fits) throw archiveInvalid(`the record of the layer ${record.name} (key ${record.key}) does not fit the layer ${record.digest}`);
    fit.push(record);
  }
  return { fit, left };
}

function resultOf(content: BackupContent, plan: RestorePlan, records: RestoreResult['records']): RestoreResult {
  const { images, conflicts, left, statements } = plan;
  return { created: content.created, images, conflicts, left, statements, records };
}

import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest, HostPath } from '../base/types.ts';
import { entryName } from './images.ts';
import { isImage, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { allRecords } from './layers.ts';
import { manifestSchema, readJsonBlob } from './manifest.ts';
import { ANNOTATIONS, imageConfigSchema, MEDIA_TYPES } from './model.ts';
import { BACKUP_FILE, RECORDS_FILE, writeArchive } from './save.ts';
import type { BackupResult, SaveOptions } from './types.ts';
import { LAYOUT_MARKER } from './writing.ts';

/** {@link Store.backup} */
export async function backupRegistry(host: Host, home: Home, target: HostPath, options: SaveOptions = {}): Promise<BackupResult> {
  const index = await readIndex(host, home);
  const [left, kept] = [new Set<string>(), new Set<IndexEntry>()];
  const blobs = new Map<Digest, number>();
  const take = async (entry: IndexEntry, read: () => Promise<readonly { readonly digest: Digest; readonly size: number }[]>): Promise<void> => {
    try {
      for (const { digest, size } of await read()) blobs.set(digest, size);
      kept.add(entry);
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'image-damaged') throw error;
      left.add(`${nameOf(entry)}: ${error.message}`);
    }
  };
  for (const entry of index.filter(isImage)) await take(entry, () => imageBlobs(host, home, entry));
  const images = new Map([...kept].map((entry) => [String(entry.digest), entry]));
  // Of others than ours nothing is known; statements about an image that is not there say nothing.
  const statements = index.filter((entry) => images.has(entry.annotations[ANNOTATIONS.subject] ?? ''));
  for (const entry of statements) await take(entry, () => statementBlobs(host, home, entry));
  const records = await allRecords(host, home);

  const manifests = index.filter((entry) => kept.has(entry)).map(withoutMark);
  const texts = {
    'oci-layout': LAYOUT_MARKER,
    [BACKUP_FILE]: `${JSON.stringify({ v: 1, created: host.clock.now().toISOString() })}\n`,
    'index.json': `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests })}\n`,
    [RECORDS_FILE]: `${JSON.stringify({ v: 1, records })}\n`,
  };
  const size = await writeArchive(host, home, target, { texts, blobs }, { ...options, what: `backing up the registry to ${target}` });
  return {
    images: images.size,
    references: manifests.filter((entry) => isImage(entry) && referenceOf(entry) !== undefined).length,
    statements: manifests.filter((entry) => !isImage(entry)).length,
    records: records.length,
    size,
    left: [...left],
  };
}

async function imageBlobs(host: Host, home: Home, entry: IndexEntry) {
  const manifest = await readJsonBlob(host, home, entry, manifestSchema);
  await readJsonBlob(host, home, manifest.config, imageConfigSchema);
  return [entry, manifest.config];
}

async function statementBlobs(host: Host, home: Home, entry: IndexEntry) {
  const manifest = await readJsonBlob(host, home, entry, manifestSchema);
  for (const layer of manifest.layers) await readJsonBlob(host, home, layer, z.unknown());
  return [entry, manifest.config, ...manifest.layers];
}

/** Whether the layers are there is told anew where it is restored. */
function withoutMark(entry: IndexEntry): IndexEntry {
  const { [ANNOTATIONS.damaged]: _, ...annotations } = entry.annotations;
  return { ...entry, annotations };
}

function nameOf(entry: IndexEntry): string {
  if (!isImage(entry)) return `a statement about an image (${entry.digest})`;
  return referenceOf(entry) ?? `${entryName(entry)}@${entry.digest}`;
}

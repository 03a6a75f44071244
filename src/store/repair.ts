import { join } from 'node:path';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isDigest, type Digest } from '../base/types.ts';
import { withoutImages } from './garbage.ts';
import { checkIndex } from './index-check.ts';
import { indexCopyPath, indexPath, isImage, parseIndex, pointReferences, type IndexEntry } from './index-file.ts';
import { allRecords } from './layers.ts';
import { imageEntry, manifestSchema, readJsonBlob } from './manifest.ts';
import { ANNOTATIONS, imageConfigSchema } from './model.ts';
import type { Finding } from './verify.ts';
import { changeStore, LAYOUT_MARKER, saveIndex } from './writing.ts';

/**
 * Takes what is damaged out of use, so that the next build makes it anew: records of bad layers and of all that stands on them go, images
 * that a flaw spoils are marked, unreadable statements go, the index is put back. Bytes of images stay: a VM may run on them.
 * `checked` are the images that were looked at: those among them that are whole lose their mark. `idOf` is that of `checkIndex`.
 */
export async function repairStore(
  host: Host,
  home: Home,
  findings: readonly Finding[],
  checked: readonly Digest[],
  idOf: (manifest: Digest) => Digest | undefined,
): Promise<Finding[]> {
  return await changeStore(host, home, 'repairing the image store', async () => {
    const found = await currentIndex(host, home);
    const bad = new Map(findings.flatMap((finding) => (finding.digest === undefined ? [] : [[finding.digest, finding]])));
    const marks = new Map<Digest, string>();
    for (const finding of findings) for (const image of finding.spoils) if (!marks.has(image)) marks.set(image, `${finding.file}: ${finding.message}`);

    if (findings.some(({ kind }) => kind === 'layout-damaged')) await replaceFile(host.files, join(home.store, 'oci-layout'), LAYOUT_MARKER);
    const dropped = await dropRecords(host, home, bad);
    for (const { kind, file } of findings) if (kind === 'record-invalid') await host.files.remove(join(home.store, file));

    const kept = found.entries.filter((entry) => entry.annotations[ANNOTATIONS.subject] === undefined || !bad.has(entry.digest));
    const marked = kept.map((entry) => (isImage(entry) ? mark(entry, marks.get(entry.digest), checked.includes(entry.digest)) : entry));
    const next = checkIndex(
      withoutImages(marked, () => false),
      idOf,
    ).mended;
    if (found.rebuilt !== undefined || JSON.stringify(next) !== JSON.stringify(found.entries)) await saveIndex(host, home, next);

    return findings.map((finding) => ({ ...finding, repaired: whatWasDone(finding, found.rebuilt, dropped) }));
  });
}

function mark(entry: IndexEntry, reason: string | undefined, checked: boolean): IndexEntry {
  const { [ANNOTATIONS.damaged]: before, ...annotations } = entry.annotations;
  const reasonNow = reason ?? (checked ? undefined : before);
  return {
    ...entry,
    annotations: {
      ...annotations,
      ...(reasonNow === undefined ? {} : { [ANNOTATIONS.damaged]: reasonNow }),
    },
  };
}

/** Removes the records of bad blobs and of every layer that stands on one; returns the digests of them all. */
async function dropRecords(host: Host, home: Home, bad: ReadonlyMap<Digest, Finding>): Promise<Set<Digest>> {
  const records = await allRecords(host, home);
  const gone = new Set<Digest>(bad.keys());
  for (let before = -1; before !== gone.size;) {
    before = gone.size;
    for (const record of records) if (record.parent !== undefined && gone.has(record.parent)) gone.add(record.digest);
  }
  for (const record of records) if (gone.has(record.digest)) await host.files.remove(home.layer(record.key));
  await host.files.sync(home.layers);
  return new Set(records.filter((record) => gone.has(record.digest)).map((record) => record.digest));
}

function whatWasDone(finding: Finding, rebuilt: string | undefined, dropped: ReadonlySet<Digest>): string {
  if (finding.kind === 'index-damaged') return rebuilt ?? 'the index was whole again';
  if (finding.kind === 'layout-damaged') return 'written again';
  if (finding.kind === 'record-invalid') return 'the record was removed';
  if (finding.kind === 'reference-invalid') return 'put right in the index';
  const parts = [
    ...(finding.digest !== undefined && dropped.has(finding.digest) ? ['the layer was taken out of the cache, and the next build makes it again'] : []),
    ...(finding.spoils.length > 0 ? ['its images are marked as damaged until they are built again'] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : 'taken out of the store';
}

/** The index as it is, else from its copy, else from the manifests among the blobs. `rebuilt` says how, where it had to be put back. */
async function currentIndex(host: Host, home: Home): Promise<{ entries: IndexEntry[]; rebuilt?: string }> {
  const text = await readTextIfThere(host.files, indexPath(home));
  const copy = await readTextIfThere(host.files, indexCopyPath(home));
  const entries = tryParse(text, indexPath(home));
  if (entries !== undefined) return { entries };
  if (text === undefined && copy === undefined) return { entries: [] };
  const saved = tryParse(copy, indexCopyPath(home));
  if (saved !== undefined) return { entries: saved, rebuilt: 'put back from its copy' };
  const scanned = await scanBlobs(host, home);
  return { entries: scanned, rebuilt: `made again from ${scanned.length} manifests in the store; tags are lost, and each image has a tag of its digest` };
}

function tryParse(text: string | undefined, path: string): IndexEntry[] | undefined {
  try {
    return text === undefined ? undefined : parseIndex(text, path);
  } catch {
    return undefined;
  }
}

/** No manifest of ours is larger; layers are. */
const LARGEST_MANIFEST = 2 ** 20;

/** The images whose manifests are among the blobs, each named after its template and digest. Gate results are not followed. */
async function scanBlobs(host: Host, home: Home): Promise<IndexEntry[]> {
  let entries: IndexEntry[] = [];
  for (const name of await host.files.list(home.blobs)) {
    const digest = `sha256:${name}`;
    if (!isDigest(digest)) continue;
    const status = await host.files.status(home.blob(digest));
    if (status === undefined || status.size > LARGEST_MANIFEST) continue;
    const manifest = await readJsonBlob(host, home, { digest, size: status.size }, manifestSchema).catch(() => undefined);
    if (manifest === undefined || manifest.subject !== undefined) continue;
    const config = await readJsonBlob(host, home, manifest.config, imageConfigSchema).catch(() => undefined);
    if (config === undefined) continue;
    const details = config['dev.ingot.image'];
    const image = imageEntry({ digest, size: status.size }, manifest.config.digest, config, manifest.layers, {
      name: details.template,
      created: status.modified.toISOString(),
    });
    entries = pointReferences(entries, image, [`${details.template}:${name.slice(0, 12)}`]);
  }
  return entries;
}

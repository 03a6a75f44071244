import { IngotError } from '../base/errors.ts';
import { canonicalJson } from '../base/hash.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest } from '../base/types.ts';
import { isImage, readIndex, type IndexEntry } from './index-file.ts';
import { manifestSchema, readJsonBlob } from './manifest.ts';
import { ANNOTATIONS, gateStatementSchema, MEDIA_TYPES, type GateStatement, type Image } from './model.ts';
import { changeStore, saveIndex, writeBlob } from './writing.ts';

/** {@link Store.addGate} */
export async function addGate(host: Host, home: Home, image: Image, statement: GateStatement): Promise<void> {
  await changeStore(host, home, 'storing a gate result', async () => {
    const entries = await readIndex(host, home);
    const subject = entries.find((entry) => isImage(entry) && entry.digest === image.digest);
    if (subject === undefined) {
      throw new IngotError('not-found', 'image-unknown', `The image ${image.digest} is no longer in the store`, {
        hint: 'It was removed while its gate ran: build it again.',
      });
    }
    const content = await writeBlob(host, home, canonicalJson(statement));
    const empty = await writeBlob(host, home, '{}');
    const manifest = await writeBlob(
      host,
      home,
      canonicalJson({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.manifest,
        artifactType: MEDIA_TYPES.statement,
        config: { mediaType: MEDIA_TYPES.empty, ...empty },
        layers: [{ mediaType: MEDIA_TYPES.statement, ...content }],
        subject: { mediaType: MEDIA_TYPES.manifest, digest: subject.digest, size: subject.size },
        annotations: { [ANNOTATIONS.created]: statement.finished, [ANNOTATIONS.statementKind]: 'gate' },
      }),
    );
    const added: IndexEntry = {
      mediaType: MEDIA_TYPES.manifest,
      artifactType: MEDIA_TYPES.statement,
      ...manifest,
      annotations: {
        [ANNOTATIONS.subject]: subject.digest,
        [ANNOTATIONS.statementKind]: 'gate',
        [ANNOTATIONS.created]: statement.finished,
        [ANNOTATIONS.gate]: statement.result,
      },
    };
    await saveIndex(host, home, withStatement(entries, added, subject.digest));
  });
}

/** The index with a statement about an image, and the image showing what its newest gate found. */
export function withStatement(entries: readonly IndexEntry[], statement: IndexEntry, subject: Digest): IndexEntry[] {
  const all = [...entries.filter((entry) => entry.digest !== statement.digest), statement];
  const result = newestOf(all, subject)?.annotations[ANNOTATIONS.gate] ?? 'not-run';
  return all.map((entry) =>
    isImage(entry) && entry.digest === subject ? { ...entry, annotations: { ...entry.annotations, [ANNOTATIONS.gate]: result } } : entry,
  );
}

/** What the newest gate of an image found; undefined where there was none, or where it cannot be read: then nothing is proven. */
export async function newestGate(host: Pick<Host, 'files'>, home: Home, entries: readonly IndexEntry[], subject: Digest): Promise<GateStatement | undefined> {
  const entry = newestOf(entries, subject);
  if (entry === undefined) return undefined;
  try {
    const manifest = await readJsonBlob(host, home, entry, manifestSchema);
    const content = manifest.layers[0];
    return content === undefined ? undefined : await readJsonBlob(host, home, content, gateStatementSchema);
  } catch (error) {
    if (error instanceof IngotError && error.code === 'image-damaged') return undefined;
    throw error;
  }
}

/** The entry of the newest gate statement about an image; of two at the same moment, the one stored later. */
export function newestOf(entries: readonly IndexEntry[], subject: Digest): IndexEntry | undefined {
  return entries
    .filter((entry) => entry.annotations[ANNOTATIONS.subject] === subject && entry.annotations[ANNOTATIONS.statementKind] === 'gate')
    .toSorted((a, b) => Date.parse(a.annotations[ANNOTATIONS.created] ?? '') - Date.parse(b.annotations[ANNOTATIONS.created] ?? ''))
    .at(-1);
}

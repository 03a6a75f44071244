import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import type { Digest } from '../base/types.ts';
import { isImage, type IndexEntry } from './index-file.ts';
import { manifestSchema, readJsonBlob } from './manifest.ts';
import { ANNOTATIONS, gateStatementSchema, type GateStatement } from './model.ts';

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

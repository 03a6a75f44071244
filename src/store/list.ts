import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isDigest } from '../base/types.ts';
import { isImage, nameOfReference, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { ANNOTATIONS } from './media.ts';
import type { ImageSummary } from './model.ts';

/** {@link Store.list} */
export async function list(host: Pick<Host, 'files'>, home: Home, options: { readonly untagged?: boolean } = {}): Promise<ImageSummary[]> {
  const entries = (await readIndex(host, home)).filter((entry) => isImage(entry) && (options.untagged === true || referenceOf(entry) !== undefined));
  return entries.map(summarise).toSorted((a, b) => compare(a.name, b.name) || compare(a.tag, b.tag) || compare(a.digest, b.digest));
}

/** What a listing shows of an image, from its descriptor alone. */
export function summarise(entry: IndexEntry): ImageSummary {
  const { annotations } = entry;
  const reference = referenceOf(entry);
  const name = reference === undefined ? (annotations[ANNOTATIONS.name] ?? '') : nameOfReference(reference);
  const id = annotations[ANNOTATIONS.config] ?? '';
  const damaged = annotations[ANNOTATIONS.damaged];
  return {
    name,
    tag: reference === undefined ? '' : reference.slice(name.length + 1),
    digest: entry.digest,
    id: isDigest(id) ? id : entry.digest,
    release: annotations[ANNOTATIONS.release] ?? '',
    roles: (annotations[ANNOTATIONS.roles] ?? '').split(' ').filter((role) => role !== ''),
    virtualSize: Number(annotations[ANNOTATIONS.virtualSize] ?? 0),
    storedSize: Number(annotations[ANNOTATIONS.storedSize] ?? 0),
    created: annotations[ANNOTATIONS.created] ?? '',
    gate: gateOf(annotations[ANNOTATIONS.gate]),
    ...(damaged === undefined ? {} : { damaged }),
  };
}

/** The gate's result as an annotation says it; anything unknown is not a pass. */
export function gateOf(text: string | undefined): ImageSummary['gate'] {
  return text === 'passed' || text === 'failed' ? text : 'not-run';
}

// Not localeCompare: it loads collation tables, and names are ASCII.
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

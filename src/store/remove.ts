import { IngotError } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { findGarbage, manifestOf, removeGarbage, withoutImages } from './garbage.ts';
import { findEntry } from './images.ts';
import { isImage, readIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { parseReference } from './reference.ts';
import type { ImageUse, RemoveResult } from './types.ts';
import { changeStore, saveIndex } from './writing.ts';

/**
 * {@link Store.remove}. The index goes first, then records, then blobs: killed in between, the store is whole, and what is left over
 * goes with the next `remove` or `prune`.
 */
export async function remove(host: Host, home: Home, reference: string, inUse: ImageUse): Promise<RemoveResult> {
  return await changeStore(host, home, `removing ${reference}`, async () => {
    const entries = await readIndex(host, home);
    const entry = findEntry(entries, reference);
    const all = entries.filter((other) => isImage(other) && other.digest === entry.digest).flatMap((other) => referenceOf(other) ?? []);
    const pinned = parseReference(reference).hex !== undefined;
    const untagged = pinned ? all : [referenceOf(entry) ?? ''];
    const remaining = all.filter((other) => !untagged.includes(other));
    if (remaining.length > 0) {
      await saveIndex(
        host,
        home,
        entries.filter((other) => other !== entry),
      );
      return { digest: entry.digest, untagged, remaining, removed: false, freed: 0 };
    }
    refuseInUse(reference, inUse.get(entry.digest) ?? []);
    const freed = await removeImages(host, home, entries, (other) => other.digest === entry.digest, inUse);
    return { digest: entry.digest, untagged, remaining, removed: true, freed };
  });
}

async function removeImages(host: Host, home: Home, entries: readonly IndexEntry[], gone: (entry: IndexEntry) => boolean, inUse: ImageUse): Promise<number> {
  const layers = await layersOf(host, home, entries.filter(gone));
  const next = withoutImages(entries, gone);
  await saveIndex(host, home, next);
  const garbage = await findGarbage(host, home, { entries: next, inUse, mayDrop: (record) => layers.has(record.digest) });
  await removeGarbage(host, garbage);
  return garbage.freed;
}

/** The digests of the layers of some images. */
export async function layersOf(host: Host, home: Home, images: readonly IndexEntry[]): Promise<Set<string>> {
  const manifests = await Promise.all(images.map((entry) => manifestOf(host, home, entry)));
  return new Set(manifests.flatMap((manifest) => manifest?.layers.map((layer) => layer.digest) ?? []));
}

function refuseInUse(reference: string, vms: readonly string[]): void {
  if (vms.length === 0) return;
  const some = vms.slice(0, 10).join(', ');
  throw new IngotError(
    'conflict',
    'image-in-use',
    `The image ${reference} is used by ${vms.length === 1 ? 'the VM' : `${vms.length} VMs:`} ${some}${vms.length > 10 ? ' …' : ''}`,
    {
      hint: `Delete ${vms.length === 1 ? 'it' : 'them'} first: \`ingot vm delete ${vms[0]}\`.`,
    },
  );
}

import { IngotError } from '../../base/errors.ts';
import { formatSize } from '../../base/types.ts';
import type { PveStorage } from './answers.ts';
import { contentCommand, diskFormat, offersImages, storageType, takesImport } from './storage-types.ts';

export interface StorageWish {
  readonly storage?: string | undefined;
  readonly uploadStorage?: string | undefined;
}

export interface StoragePlan {
  readonly upload: PveStorage;
  readonly disks: PveStorage;
  readonly format: 'qcow2' | undefined;
  readonly linked: boolean;
  /** The upload storage has to be given the content type first. */
  readonly lacksContent: boolean;
  readonly why: readonly string[];
}

/**
 * Chooses where the upload goes and where the disk lies, with reasons. Pure. What is wished for is taken where it is possible at all. Throws
 * `storage-unknown`, `storage-unfit` with why each one is not, `storage-full`.
 */
export function planStorage(
  node: string,
  storages: readonly PveStorage[],
  size: { readonly virtual: number; readonly file: number },
  wish: StorageWish,
): StoragePlan {
  const usable = storages.filter(({ active, enabled }) => active && enabled);
  const disks = choose(node, usable, wish.storage, 'disks', (storage) => diskProblem(storage, size.virtual), rankDisks);
  const upload = choose(node, usable, wish.uploadStorage, 'uploads', (storage) => uploadProblem(storage, size.file), rankUploads);
  const type = storageType(disks.chosen.type);
  const format = diskFormat(disks.chosen);
  const lacksContent = !upload.chosen.content.includes('import');
  return {
    upload: upload.chosen,
    disks: disks.chosen,
    format,
    linked: type.linked,
    lacksContent,
    why: [
      `${node}: the upload goes to ${upload.chosen.storage} (${upload.chosen.type}): ${upload.reason}`,
      ...(lacksContent ? [`${node}: ${upload.chosen.storage} gets the content type "import" for it, as by \`${contentCommand(upload.chosen)}\``] : []),
      `${node}: disks lie on ${disks.chosen.storage} (${disks.chosen.type}), as ${format ?? 'raw'}: ${disks.reason}`,
      type.linked
        ? `${node}: clones of the template can be linked, and take no space at first`
        : `${node}: ${disks.chosen.type} makes no linked clones; each clone is a whole copy`,
    ],
  };
}

interface Choice {
  readonly chosen: PveStorage;
  readonly reason: string;
}

function choose(
  node: string,
  storages: readonly PveStorage[],
  wish: string | undefined,
  what: string,
  problem: (storage: PveStorage) => string | undefined,
  rank: (storage: PveStorage) => number,
): Choice {
  if (wish !== undefined) {
    const chosen = storages.find(({ storage }) => storage === wish);
    if (chosen === undefined) {
      throw new IngotError('not-found', 'storage-unknown', `There is no storage ${wish} on ${node} that is active`, {
        hint: `There are ${storages.map(({ storage }) => storage).join(', ') || 'none'}.`,
      });
    }
    const why = problem(chosen);
    if (why !== undefined) throw unfit(node, what, [chosen], problem);
    return { chosen, reason: 'you chose it' };
  }
  const fit = storages.filter((storage) => problem(storage) === undefined);
  // The name decides between equals, so that a plan is the same every time.
  const [best] = fit.toSorted((a, b) => rank(b) - rank(a) || (b.avail ?? 0) - (a.avail ?? 0) || (a.storage < b.storage ? -1 : 1));
  if (best === undefined) throw unfit(node, what, storages, problem);
  const others = fit.length === 1 ? 'the only one that can' : `the best of ${fit.map(({ storage }) => storage).join(', ')}`;
  return { chosen: best, reason: `${others}, ${best.avail === undefined ? 'free space unknown' : `${formatSize(best.avail)} free`}` };
}

/** One that has the content type, rather than one that has to get it; shared ones take load off the node. */
function rankUploads({ content, shared }: PveStorage): number {
  return (content.includes('import') ? 2 : 0) + (shared ? 1 : 0);
}

/** Linked clones first; then block devices, which are faster than files; then shared ones. */
function rankDisks({ type, shared }: PveStorage): number {
  const { linked, kind } = storageType(type);
  return (linked ? 4 : 0) + (shared ? 2 : 0) + (kind === 'block' ? 1 : 0);
}

function uploadProblem(storage: PveStorage, size: number): string | undefined {
  if (!takesImport(storage)) return `${storage.type} takes no uploads of disks`;
  return spaceProblem(storage, size);
}

function diskProblem(storage: PveStorage, size: number): string | undefined {
  if (!offersImages(storage)) return storageType(storage.type).images ? 'it lacks the content type "images"' : `${storage.type} holds no disks of VMs`;
  return spaceProblem(storage, size);
}

function spaceProblem({ avail }: PveStorage, size: number): string | undefined {
  return avail !== undefined && avail < size ? `${formatSize(avail)} are free, and ${formatSize(size)} are needed` : undefined;
}

function unfit(node: string, what: string, storages: readonly PveStorage[], problem: (storage: PveStorage) => string | undefined): IngotError {
  const reasons = storages.map((storage) => `${storage.storage} (${storage.type}): ${problem(storage) ?? 'fits'}`);
  const full = storages.some((storage) => /are free/.test(problem(storage) ?? ''));
  return new IngotError(full ? 'space' : 'host', full ? 'storage-full' : 'storage-unfit', `No storage on ${node} can take ${what}`, {
    detail: reasons.join('\n'),
    hint: full
      ? 'Free space on one of them, or name another one with --storage or --upload-storage.'
      : 'Add a storage of type dir in the web interface: Datacenter, Storage, Add, with the content types Import and Disk image.',
  });
}

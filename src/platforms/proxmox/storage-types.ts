import type { PveStorage } from './answers.ts';

interface StorageType {
  /** Files or block devices; what a disk's format is. */
  readonly kind: 'file' | 'block';
  /** Whether it can have the content type `import`. */
  readonly import: boolean;
  /** Whether it can have disks of VMs at all. */
  readonly images: boolean;
  /** Whether a template on it can be cloned without a copy. */
  readonly linked: boolean;
}

/** The types of storage that ingot knows; of others, what they say of themselves holds. */
const TYPES: Readonly<Record<string, StorageType>> = {
  dir: { kind: 'file', import: true, images: true, linked: true },
  nfs: { kind: 'file', import: true, images: true, linked: true },
  cifs: { kind: 'file', import: true, images: true, linked: true },
  cephfs: { kind: 'file', import: true, images: false, linked: false },
  btrfs: { kind: 'file', import: true, images: true, linked: true },
  lvm: { kind: 'block', import: false, images: true, linked: false },
  lvmthin: { kind: 'block', import: false, images: true, linked: true },
  zfspool: { kind: 'block', import: false, images: true, linked: true },
  zfs: { kind: 'block', import: false, images: true, linked: true },
  rbd: { kind: 'block', import: false, images: true, linked: true },
  iscsi: { kind: 'block', import: false, images: true, linked: false },
  iscsidirect: { kind: 'block', import: false, images: true, linked: false },
};
const UNKNOWN: StorageType = { kind: 'block', import: false, images: true, linked: false };

export function storageType(type: string): StorageType {
  return TYPES[type] ?? UNKNOWN;
}

/** Whether a storage can take uploads of disks, with the content type or once it has it. */
export function takesImport({ type }: Pick<PveStorage, 'type'>): boolean {
  return storageType(type).import;
}

/** Whether disks of VMs can lie on it. */
export function offersImages({ type, content }: Pick<PveStorage, 'type' | 'content'>): boolean {
  return storageType(type).images && content.includes('images');
}

/**
 * The format of a disk there, to be asked for; undefined where it is not said: on block devices it is raw, and naming another one is an error. A
 * qcow2 file is what linked clones of a file storage need; btrfs makes them from raw.
 */
export function diskFormat({ type }: Pick<PveStorage, 'type'>): 'qcow2' | undefined {
  return storageType(type).kind === 'file' && type !== 'btrfs' ? 'qcow2' : undefined;
}

/** The line that lets a storage take uploads: the list is replaced as a whole, so what it has is in it. */
export function contentCommand({ storage, content }: Pick<PveStorage, 'storage' | 'content'>): string {
  return `pvesm set ${storage} --content ${[...new Set([...content, 'import'])].join(',')}`;
}

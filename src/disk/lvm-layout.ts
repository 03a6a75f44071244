import { createHash } from 'node:crypto';

const MIB = 2 ** 20;

/** Bytes of an extent: LVM's own default. */
export const EXTENT_SIZE = 4 * MIB;
/** Where the data begins in the physical volume; label and metadata are before it. LVM's own default. */
export const DATA_START = MIB;

/** One volume group on one partition, with one linear logical volume that fills it. Sizes in bytes. */
export interface LvmLayout {
  readonly group: string;
  readonly volume: string;
  readonly physicalUuid: string;
  readonly groupUuid: string;
  readonly volumeUuid: string;
  /** From the start of the partition. */
  readonly dataStart: number;
  readonly extents: number;
  /** Of the logical volume. */
  readonly size: number;
}

/** The logical volume of a root partition; identifiers follow from `seed`. */
export function planLvm(partitionSize: number, seed: string): LvmLayout {
  const extents = Math.floor((partitionSize - DATA_START) / EXTENT_SIZE);
  return {
    group: 'system',
    volume: 'root',
    physicalUuid: lvmUuid(`${seed}/lvm-physical`),
    groupUuid: lvmUuid(`${seed}/lvm-group`),
    volumeUuid: lvmUuid(`${seed}/lvm-volume`),
    dataStart: DATA_START,
    extents,
    size: extents * EXTENT_SIZE,
  };
}

/** The root's device in the running system. */
export function lvmDevice({ group, volume }: Pick<LvmLayout, 'group' | 'volume'>): string {
  return `/dev/mapper/${group.replaceAll('-', '--')}-${volume.replaceAll('-', '--')}`;
}

/** 32 characters in groups of 6-4-4-4-4-4-6, as LVM writes its identifiers. */
function lvmUuid(text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
  return [hash.slice(0, 6), ...[6, 10, 14, 18, 22].map((at) => hash.slice(at, at + 4)), hash.slice(26)].join('-');
}

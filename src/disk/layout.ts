import { createHash } from 'node:crypto';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatSize } from '../base/types.ts';
import { planLvm, type LvmLayout } from './lvm-layout.ts';
import { checkMounts, MINIMUM_FILESYSTEM, outerFirst } from './mounts.ts';

export const filesystemSchema = z.enum(['ext4', 'xfs', 'btrfs']);
export type Filesystem = z.output<typeof filesystemSchema>;

const MIB = 2 ** 20;
export const SECTOR = 512;

/** Partition types of the Discoverable Partitions Specification, of GRUB's BIOS boot partition, and of LVM. */
export const PARTITION_TYPES = {
  biosBoot: '21686148-6449-6E6F-744E-656564454649',
  efi: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  root: { amd64: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', arm64: 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE' },
  data: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  lvm: 'E6D6D379-F507-44C2-A23C-238F2A3DF928',
} as const;

export interface Partition {
  readonly number: number;
  readonly name: string;
  readonly type: string;
  readonly uuid: string;
  /** Bytes from the start of the disk. */
  readonly start: number;
  readonly size: number;
}

/** A partition besides the root, with the file system that is mounted from it. */
export interface MountedPartition extends Partition {
  readonly mount: string;
  readonly filesystem: Filesystem;
  readonly filesystemUuid: string;
}

/** Where everything is on an image's disk. All sizes and offsets in bytes. */
export interface DiskLayout {
  readonly size: number;
  readonly uuid: string;
  readonly filesystem: Filesystem;
  readonly filesystemUuid: string;
  /** FAT volume serial of the EFI system partition: eight hexadecimal digits. */
  readonly efiSerial: string;
  /** Absent where the architecture has no BIOS, or the image is for UEFI alone. */
  readonly biosBoot: Partition | undefined;
  /** Absent where the image is for BIOS alone. */
  readonly efi: Partition | undefined;
  /** Last on the disk, so that it can grow. */
  readonly root: Partition;
  /** Partitions of their own, outer mounts first; absent where there are none. */
  readonly mounts?: readonly MountedPartition[];
  /** Bytes of the swap file that the first boot makes. */
  readonly swap?: number;
  /** The root's file system is on a logical volume in the root partition. */
  readonly lvm?: LvmLayout;
}

/** What a template says of its disk. */
export interface DiskOptions {
  /** Bytes. */
  readonly size: number;
  readonly filesystem: Filesystem;
  readonly firmware?: 'bios' | 'uefi' | 'both';
  /** Bytes of a swap file; absent for none. */
  readonly swap?: number;
  readonly partitions?: readonly { readonly mount: string; readonly size: number; readonly filesystem: Filesystem }[];
  readonly lvm?: boolean;
}

/** What a disk is to be. */
export interface DiskRequest extends DiskOptions {
  readonly arch: string;
  /** Identifiers follow from it. */
  readonly seed: string;
}

/** Smallest disk that holds a base image and leaves room for a first update; partitions besides the root come on top. */
export const MINIMUM_DISK = 2048 * MIB;
const EFI_SIZE = 64 * MIB;
/** Numbers 2 to 13 are free: 1 is the root, 14 and 15 belong to the firmware. */
const MAXIMUM_PARTITIONS = 12;

/**
 * GPT with a BIOS boot partition (amd64), an EFI system partition, the partitions that were asked for, and root last.
 * Partition numbers are those of Debian's cloud images (1 root, 14 BIOS boot, 15 EFI). Identifiers follow from `seed`,
 * so that the same template gives the same disk. Throws `disk-too-small`, `partition-too-small`, `mount-refused`,
 * `mount-twice`, `partitions-too-many`, `firmware-unsupported` and `arch-unsupported`.
 */
export function planDisk(options: DiskRequest): DiskLayout {
  const rootType = options.arch === 'amd64' ? PARTITION_TYPES.root.amd64 : options.arch === 'arm64' ? PARTITION_TYPES.root.arm64 : undefined;
  if (rootType === undefined)
    throw new IngotError('usage', 'arch-unsupported', `Images for ${options.arch} cannot be built`, { hint: 'Supported: amd64, arm64.' });
  if (options.arch === 'arm64' && options.firmware === 'bios')
    throw new IngotError('usage', 'firmware-unsupported', 'arm64 machines have no BIOS', { hint: 'Leave firmware away, or say uefi.' });
  const size = Math.floor(options.size / MIB) * MIB;
  const partitions = sortedPartitions(options.partitions ?? []);
  checkSizes(options, size, partitions);
  const uuid = (name: string): string => uuidFrom(`${options.seed}/${name}`);
  const firmware = options.firmware ?? 'both';
  const biosBoot =
    options.arch === 'amd64' && firmware !== 'uefi'
      ? { number: 14, name: 'bios', type: PARTITION_TYPES.biosBoot, uuid: uuid('bios'), start: MIB, size: MIB }
      : undefined;
  const efi = firmware === 'bios' ? undefined : { number: 15, name: 'efi', type: PARTITION_TYPES.efi, uuid: uuid('efi'), start: 2 * MIB, size: EFI_SIZE };
  let start = efi === undefined ? 2 * MIB : efi.start + efi.size;
  const mounts = partitions.map(({ mount, size: bytes, filesystem }, i): MountedPartition => {
    const partition = {
      number: i + 2,
      name: mount.slice(1).replaceAll('/', '-').slice(0, 36),
      type: PARTITION_TYPES.data,
      uuid: uuid(`partition${mount}`),
      start,
      size: bytes,
      mount,
      filesystem,
      filesystemUuid: uuid(`filesystem${mount}`).toLowerCase(),
    };
    start += bytes;
    return partition;
  });
  const root = {
    number: 1,
    name: 'root',
    type: options.lvm === true ? PARTITION_TYPES.lvm : rootType,
    uuid: uuid('root'),
    start,
    size: size - start - MIB,
  };
  return {
    size,
    uuid: uuid('disk'),
    filesystem: options.filesystem,
    filesystemUuid: uuid('filesystem').toLowerCase(),
    efiSerial: uuid('efi-serial').slice(0, 8),
    biosBoot,
    efi,
    root,
    ...(mounts.length === 0 ? {} : { mounts }),
    ...(options.swap === undefined ? {} : { swap: options.swap }),
    ...(options.lvm === true ? { lvm: planLvm(root.size, options.seed) } : {}),
  };
}

/** Sizes as whole MiB, outer mounts before those within them. */
function sortedPartitions(partitions: NonNullable<DiskRequest['partitions']>): NonNullable<DiskRequest['partitions']> {
  checkMounts(partitions.map(({ mount }) => mount));
  if (partitions.length > MAXIMUM_PARTITIONS) {
    throw new IngotError(
      'usage',
      'partitions-too-many',
      `A disk takes ${MAXIMUM_PARTITIONS} partitions besides its root, and ${partitions.length} are asked for`,
    );
  }
  return outerFirst(
    partitions.map((each) => ({ ...each, size: Math.ceil(each.size / MIB) * MIB })),
    ({ mount }) => mount,
  );
}

function checkSizes(options: DiskRequest, size: number, partitions: NonNullable<DiskRequest['partitions']>): void {
  for (const { mount, size: bytes, filesystem } of partitions) {
    if (bytes < MINIMUM_FILESYSTEM[filesystem]) {
      throw new IngotError('usage', 'partition-too-small', `The partition for ${mount} has ${formatSize(bytes)}, which is too small for ${filesystem}`, {
        hint: `It needs ${formatSize(MINIMUM_FILESYSTEM[filesystem])} at least.`,
      });
    }
  }
  const taken = partitions.reduce((sum, { size: bytes }) => sum + bytes, 0);
  if (size - taken >= MINIMUM_DISK) return;
  throw new IngotError(
    'usage',
    'disk-too-small',
    taken === 0
      ? `A disk of ${formatSize(options.size)} is too small for an image`
      : `A disk of ${formatSize(options.size)} is too small for an image with partitions of ${formatSize(taken)}`,
    { hint: `It needs ${formatSize(MINIMUM_DISK + taken)} at least.` },
  );
}

/** Where the root's file system is: the root partition, or the logical volume in it. */
export function rootFilesystem({ root, lvm }: Pick<DiskLayout, 'root' | 'lvm'>): { readonly start: number; readonly size: number } {
  return lvm === undefined ? { start: root.start, size: root.size } : { start: root.start + lvm.dataStart, size: lvm.size };
}

/** The layout as a script for sfdisk. */
export function sfdiskScript(layout: DiskLayout): string {
  const line = (p: Partition): string => `${p.number} : start=${p.start / SECTOR}, size=${p.size / SECTOR}, type=${p.type}, uuid=${p.uuid}, name="${p.name}"`;
  return [
    'label: gpt',
    `label-id: ${layout.uuid}`,
    'unit: sectors',
    'first-lba: 34',
    '',
    ...[layout.root, ...(layout.mounts ?? []), layout.biosBoot, layout.efi].filter((p) => p !== undefined).map(line),
    '',
  ].join('\n');
}

/** A version 4 UUID made from text, upper case as GPT tools print it. */
function uuidFrom(text: string): string {
  const hash = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hash.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`.toUpperCase();
}

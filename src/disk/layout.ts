import { createHash } from 'node:crypto';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatSize } from '../base/types.ts';

export const filesystemSchema = z.enum(['ext4', 'xfs', 'btrfs']);
export type Filesystem = z.output<typeof filesystemSchema>;

const MIB = 2 ** 20;
export const SECTOR = 512;

/** Partition types of the Discoverable Partitions Specification and of GRUB's BIOS boot partition. */
const TYPES = {
  biosBoot: '21686148-6449-6E6F-744E-656564454649',
  efi: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  root: { amd64: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', arm64: 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE' },
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

/** Where everything is on an image's disk. All sizes and offsets in bytes. */
export interface DiskLayout {
  readonly size: number;
  readonly uuid: string;
  readonly filesystem: Filesystem;
  readonly filesystemUuid: string;
  /** FAT volume serial of the EFI system partition: eight hexadecimal digits. */
  readonly efiSerial: string;
  /** Absent where the architecture has no BIOS. */
  readonly biosBoot: Partition | undefined;
  readonly efi: Partition;
  /** Last on the disk, so that it can grow. */
  readonly root: Partition;
}

/** Smallest disk that holds a base image and leaves room for a first update. */
export const MINIMUM_DISK = 2048 * MIB;
const EFI_SIZE = 64 * MIB;

/**
 * GPT with a BIOS boot partition (amd64), an EFI system partition, and root last. Partition numbers are those of
 * Debian's cloud images (1 root, 14 BIOS boot, 15 EFI). Identifiers follow from `seed`, so that the same template
 * gives the same disk. Throws `disk-too-small`.
 */
export function planDisk(options: { size: number; filesystem: Filesystem; arch: string; seed: string }): DiskLayout {
  const size = Math.floor(options.size / MIB) * MIB;
  if (size < MINIMUM_DISK) {
    throw new IngotError('usage', 'disk-too-small', `A disk of ${formatSize(options.size)} is too small for an image`, {
      hint: `It needs ${formatSize(MINIMUM_DISK)} at least.`,
    });
  }
  const rootType = options.arch === 'amd64' ? TYPES.root.amd64 : options.arch === 'arm64' ? TYPES.root.arm64 : undefined;
  if (rootType === undefined)
    throw new IngotError('usage', 'arch-unsupported', `Images for ${options.arch} cannot be built`, { hint: 'Supported: amd64, arm64.' });
  const uuid = (name: string): string => uuidFrom(`${options.seed}/${name}`);
  const biosBoot = options.arch === 'amd64' ? { number: 14, name: 'bios', type: TYPES.biosBoot, uuid: uuid('bios'), start: MIB, size: MIB } : undefined;
  const efi = { number: 15, name: 'efi', type: TYPES.efi, uuid: uuid('efi'), start: 2 * MIB, size: EFI_SIZE };
  const rootStart = efi.start + efi.size;
  return {
    size,
    uuid: uuid('disk'),
    filesystem: options.filesystem,
    filesystemUuid: uuid('filesystem').toLowerCase(),
    efiSerial: uuid('efi-serial').slice(0, 8),
    biosBoot,
    efi,
    root: { number: 1, name: 'root', type: rootType, uuid: uuid('root'), start: rootStart, size: size - rootStart - MIB },
  };
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
    ...[layout.root, layout.biosBoot, layout.efi].filter((p) => p !== undefined).map(line),
    '',
  ].join('\n');
}

/** A version 4 UUID made from text, upper case as GPT tools print it. */
function uuidFrom(text: string): string {
  const hash = createHash('sha256').update(text).digest('hex');
  const variant = ((Number.parseInt(hash.slice(16, 17), 16) & 3) | 8).toString(16);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`.toUpperCase();
}

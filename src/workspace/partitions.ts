import { IngotError } from '../base/errors.ts';
import { SECTOR } from '../disk/layout.ts';
import type { Executor } from './executor.ts';

/** A partition as it was found on the disk; bytes. */
export interface RootPartition {
  readonly start: number;
  readonly size: number;
  readonly filesystem: string;
  readonly uuid: string;
}

/** Types of a root partition: Linux root of amd64 and arm64 (Discoverable Partitions Specification), and plain Linux data. */
const ROOT_TYPES = ['4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', 'B921B045-1DF0-41C3-AF44-4C6F280D3FAE', '0FC63DAF-8483-4772-8E79-3D69D8477DE4'];

/** Finds the root partition of a disk by its type. Throws `root-missing`. */
export async function findRoot(executor: Executor, disk: string): Promise<RootPartition> {
  const { stdout } = await executor.run(['partx', '--raw', '--noheadings', '--output', 'START,SECTORS,TYPE', disk]);
  const partitions = stdout.split('\n').map((line) => line.trim().split(' '));
  const found = ROOT_TYPES.flatMap((type) => partitions.filter((fields) => fields[2]?.toUpperCase() === type))[0];
  if (found === undefined) throw new IngotError('verification', 'root-missing', 'The disk has no root partition that is known as one');
  const start = Number(found[0]) * SECTOR;
  const probe = await executor.run(['blkid', '--probe', '--offset', String(start), '--output', 'export', disk]);
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(probe.stdout)?.[1] ?? '';
  return { start, size: Number(found[1]) * SECTOR, filesystem: value('TYPE'), uuid: value('UUID') };
}

/** A sibling image has the same XFS UUID, which the kernel refuses to mount twice. */
const MOUNT_OPTIONS: Readonly<Record<string, string>> = { xfs: ',nouuid' };

/** Mounts a file system that is a part of a disk; the loop device goes with the mount. */
export async function mountPartition(executor: Executor, disk: string, partition: RootPartition, folder: string): Promise<void> {
  const options = `loop,noatime,offset=${partition.start},sizelimit=${partition.size}${MOUNT_OPTIONS[partition.filesystem] ?? ''}`;
  await executor.run(['mount', '-t', partition.filesystem, '-o', options, disk, folder]);
}

import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { PARTITION_TYPES, SECTOR } from '../disk/layout.ts';
import { findLvmRoot, LVM_HEAD } from '../disk/lvm.ts';
import { mountProblem, outerFirst } from '../disk/mounts.ts';
import type { Executor } from './executor.ts';
import type { GuestRoot } from './guest-root.ts';

/** A file system as it was found on the disk; bytes. */
export interface FoundPartition {
  readonly start: number;
  readonly size: number;
  readonly filesystem: string;
  readonly uuid: string;
}

/** The root, and what else may hold file systems of the image. */
export interface FoundDisk {
  readonly root: RootPartition;
  readonly others: readonly FoundPartition[];
}

export type RootPartition = FoundPartition;

/** Types of a root partition, best first: Linux root of amd64 and arm64 (Discoverable Partitions Specification), LVM, and plain Linux data. */
const ROOT_TYPES: readonly string[] = [PARTITION_TYPES.root.amd64, PARTITION_TYPES.root.arm64, PARTITION_TYPES.lvm, PARTITION_TYPES.data];

/** What is mounted of an image: file systems that its own kernel has made, and nothing that would look for further devices. */
const FILESYSTEMS = ['ext4', 'xfs', 'btrfs'];

interface TableEntry {
  readonly start: number;
  readonly size: number;
  readonly type: string;
}

/** Reads a disk's partition table and finds the root by its type. Throws `root-missing`. */
export async function findPartitions(executor: Executor, disk: string): Promise<FoundDisk> {
  const { stdout } = await executor.run(['partx', '--raw', '--noheadings', '--output', 'START,SECTORS,TYPE', disk]);
  const table = stdout
    .split('\n')
    .map((line) => line.trim().split(' '))
    .map(([start, sectors, type = '']): TableEntry => ({ start: Number(start) * SECTOR, size: Number(sectors) * SECTOR, type: type.toUpperCase() }));
  const root = ROOT_TYPES.flatMap((type) => table.filter((entry) => entry.type === type))[0];
  if (root === undefined) throw new IngotError('verification', 'root-missing', 'The disk has no root partition that is known as one');
  const data = table.filter((entry) => entry !== root && entry.type === PARTITION_TYPES.data);
  const volume = root.type === PARTITION_TYPES.lvm ? await findVolume(executor, disk, root) : root;
  const [found, ...others] = await Promise.all([volume, ...data].map((entry) => probe(executor, disk, entry)));
  if (found === undefined) throw new Error('nothing was probed');
  if (!FILESYSTEMS.includes(found.filesystem)) {
    throw new IngotError(
      'verification',
      'filesystem-unsupported',
      `The root of the disk has a file system that is not opened: ${found.filesystem || 'none that is known'}`,
      {
        hint: `Supported: ${FILESYSTEMS.join(', ')}.`,
      },
    );
  }
  return { root: found, others: others.filter(({ filesystem, uuid }) => FILESYSTEMS.includes(filesystem) && uuid !== '') };
}

/** The root's logical volume, as a part of the disk: it is read without device-mapper. */
async function findVolume(executor: Executor, disk: string, { start, size }: TableEntry): Promise<Pick<TableEntry, 'start' | 'size'>> {
  const script = 'dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none | base64 -w0';
  const { stdout } = await executor.run(['sh', '-ec', script, 'sh', disk, String(start), String(LVM_HEAD)]);
  const volume = findLvmRoot(Buffer.from(stdout, 'base64'), size);
  return { start: start + volume.start, size: volume.size };
}

/** What blkid says of a part of a disk; empty where it knows nothing. */
async function probe(executor: Executor, disk: string, { start, size }: Pick<TableEntry, 'start' | 'size'>): Promise<FoundPartition> {
  const NOTHING_FOUND = 2;
  const found = await executor.run(['blkid', '--probe', '--offset', String(start), '--output', 'export', disk], { accept: [NOTHING_FOUND] });
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(found.stdout)?.[1] ?? '';
  return { start, size, filesystem: value('TYPE'), uuid: value('UUID') };
}

/** A sibling image has the same XFS UUID, which the kernel refuses to mount twice. */
const MOUNT_OPTIONS: Readonly<Record<string, string>> = { xfs: ',nouuid' };

/** Mounts a file system that is a part of a disk; the loop device goes with the mount. */
export async function mountPartition(executor: Executor, disk: string, partition: FoundPartition, folder: string): Promise<void> {
  const options = `loop,noatime,offset=${partition.start},sizelimit=${partition.size}${MOUNT_OPTIONS[partition.filesystem] ?? ''}`;
  await executor.run(['mount', '-t', partition.filesystem, '-o', options, disk, folder]);
}

/** A partition and the path in the image where it belongs. */
export interface PlannedMount {
  readonly path: string;
  readonly partition: FoundPartition;
}

/**
 * Which partitions an fstab mounts where, outer mounts first. The text is the image's and not trusted: lines count only
 * where they name a partition of this disk by its UUID, a file system of its type, and a path without links and tricks.
 */
export function mountsOf(fstab: string, partitions: readonly FoundPartition[]): PlannedMount[] {
  const mounts = new Map<string, FoundPartition>();
  for (const line of fstab.split('\n').slice(0, FSTAB_LINES)) {
    const [device = '', path = '', filesystem = '', options = ''] = line.trim().split(/\s+/);
    const partition = partitions.find(({ uuid }) => device.toLowerCase() === `uuid=${uuid.toLowerCase()}`);
    if (partition === undefined || mountProblem(path) !== undefined || options.split(',').includes('noauto')) continue;
    if (filesystem !== partition.filesystem && filesystem !== 'auto') continue;
    if (!mounts.has(path)) mounts.set(path, partition);
  }
  return outerFirst([...mounts], ([path]) => path).map(([path, partition]) => ({ path, partition }));
}

const FSTAB_LINES = 1000;

/** A folder that is no link, and is not reached through one: only there a mount stays inside the root. Commands of the image do not run meanwhile. */
const CHECK_FOLDER = `
root=$(realpath -e -- "$1")
[ -d "$root$2" ] && [ "$(realpath -e -- "$root$2")" = "$root$2" ] || { echo "$2 is no folder of the image, or is reached through a link" >&2; exit 1; }
`;

/** Mounts the partitions that the image's fstab names below its mounted root. Returns where, outer mounts first. */
export async function mountOthers(executor: Executor, disk: string, root: GuestRoot, partitions: readonly FoundPartition[]): Promise<PlannedMount[]> {
  if (partitions.length === 0) return [];
  const { stdout } = await root.run(['cat', '/etc/fstab'], { accept: [1] });
  const mounts = mountsOf(stdout, partitions);
  for (const { path, partition } of mounts) {
    await executor.run(['sh', '-ec', CHECK_FOLDER, 'sh', root.path, path]);
    await mountPartition(executor, disk, partition, join(root.path, path));
  }
  return mounts;
}

import { IngotError } from '../base/errors.ts';
import { growTable, TABLE_HEAD, type Write } from '../disk/grow-table.ts';
import { growLvm } from '../disk/lvm.ts';
import type { Executor } from './executor.ts';
import { mountOptions } from './partitions.ts';
import { describePartitions, readLvmHead, type FoundPartition } from './partition-table.ts';

/*
 * Makes the root as large as its disk: partition table, physical and logical volume while nothing is mounted, then the file system by its own kernel.
 */

/** The partition that the root lies in, or the root itself where the disk has no table. */
function holderOf(parts: readonly FoundPartition[], root: FoundPartition): FoundPartition | undefined {
  if (root.volume === undefined) return root;
  return parts.find(({ start, size, volume }) => volume === undefined && start <= root.start && root.start < start + size);
}

const isLast = (parts: readonly FoundPartition[], part: FoundPartition): boolean => !parts.some(({ start }) => start >= part.start + part.size);

/** Whether a guest makes its root as large as a larger disk when it starts: cloud-init grows a partition that is the last, and no logical volume in it. */
export function growsAtStart(parts: readonly FoundPartition[], root: FoundPartition): boolean {
  return root.volume === undefined && isLast(parts, root);
}

/** Grows what the root lies in; nothing of it may be mounted. Throws `root-not-last` where something else is behind it, `table-unreadable` and `lvm-unreadable`. */
export async function growPartition(executor: Executor, disk: string, parts: readonly FoundPartition[], root: FoundPartition): Promise<void> {
  const holder = holderOf(parts, root);
  // A file system without a table has the whole disk already.
  if (holder?.number === undefined) return;
  if (!isLast(parts, holder)) {
    throw new IngotError('usage', 'root-not-last', 'The disk cannot be made larger: behind its root are other partitions', {
      detail: describePartitions(parts),
      hint: 'Leave `disk.size` away.',
    });
  }
  const { stdout } = await executor.run(['sh', '-ec', READ_HEAD, 'sh', disk, String(TABLE_HEAD)]);
  const [size = '', head = ''] = stdout.split('\n');
  const { writes, size: grown } = growTable(Buffer.from(head, 'base64'), Number(size), holder.number);
  await write(executor, disk, writes);
  if (root.volume === undefined) return;
  const metadata = growLvm(await readLvmHead(executor, disk, holder.start), grown, root.volume);
  await write(executor, disk, [{ at: holder.start, bytes: metadata }]);
}

const READ_HEAD = 'if [ -b "$1" ]; then blockdev --getsize64 "$1"; else stat -L -c %s "$1"; fi; head -c "$2" "$1" | base64 -w0';
const WRITE = 'base64 -d | dd of="$1" bs=64K seek="$2" oflag=seek_bytes iflag=fullblock conv=notrunc status=none';

async function write(executor: Executor, disk: string, writes: readonly Write[]): Promise<void> {
  for (const { at, bytes } of writes) await executor.run(['sh', '-ec', WRITE, 'sh', disk, String(at)], { stdin: bytes.toString('base64') });
}

/**
 * Mounts $2 with the options $1 on $3 for its loop device alone, which lives on while it is open. resize2fs would cut a file off behind the file system,
 * as if that began at its start.
 */
const GROW_EXT4 = `
mount -t ext4 -o "$1" "$2" "$3"
device=$(findmnt --noheadings --output SOURCE --mountpoint "$3")
exec 9<"$device"
umount "$3"
resize2fs -f "$device"
`;

/**
 * Grows a file system of the ext family while it is not mounted: its own call of the kernel takes a right (CAP_SYS_RESOURCE) that root in a container
 * has not. `folder` is an empty one to mount it on. Does nothing for others.
 */
export async function growUnmounted(executor: Executor, disk: string, part: FoundPartition, folder: string): Promise<void> {
  if (part.filesystem !== 'ext4') return;
  await executor.run(['sh', '-ec', GROW_EXT4, 'sh', mountOptions(part), disk, folder], { timeout: 900, shown: ['resize2fs', disk] });
}

/**
 * The kernel's own calls, which need no tools of the file system: XFS_IOC_FSGROWFSDATA with a count of blocks and the share of inodes as it is,
 * BTRFS_IOC_RESIZE with `max`. The arguments are where it is mounted, its kind, and bytes.
 */
const GROW = String.raw`
my ($folder, $kind, $size) = @ARGV;
sub fail { die "$kind cannot be grown: $!\n" }
open(my $root, '<', $folder) or fail();
if ($kind eq 'btrfs') {
  my $arguments = pack('q a4088', 0, "max\0");
  ioctl($root, 0x50009403, $arguments) or fail();
} else {
  my $geometry = "\0" x 256;
  ioctl($root, 0x8100587e, $geometry) or ioctl($root, 0x80705864, $geometry) or fail();
  my ($block, $inodes) = (unpack('L8', $geometry))[0, 7];
  my $grow = pack('Q L x4', int($size / $block), $inodes);
  ioctl($root, 0x4010586e, $grow) or fail();
}
`;

/** Grows a mounted xfs or btrfs to the size of the part of the disk that it is on. Does nothing for others. */
export async function growMounted(executor: Executor, mount: string, { filesystem, size }: FoundPartition): Promise<void> {
  if (filesystem === 'ext4') return;
  await executor.run(['perl', '-e', GROW, mount, filesystem, String(size)], { timeout: 600, shown: ['grow', filesystem, mount] });
}

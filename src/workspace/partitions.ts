import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { foundMountProblem, outerFirst } from '../disk/mounts.ts';
import type { Executor } from './executor.ts';
import { describePartitions, FILESYSTEMS, OTHER_FILESYSTEMS, rootCandidates, type FoundPartition } from './partition-table.ts';

export type { FoundPartition } from './partition-table.ts';

/** The file system of the root, mounted. */
export interface RootPartition extends FoundPartition {
  /** Of btrfs: the subvolume that is the root, from the top of the file system, without a slash before it; empty where it is the top itself. */
  readonly subvolume?: string;
}

/** A sibling image has the same XFS UUID, which the kernel refuses to mount twice. */
const MOUNT_OPTIONS: Readonly<Record<string, string>> = { xfs: ',nouuid' };

/** Options of mount(8) for a part of a disk; the loop device goes with the mount. */
export function mountOptions({ start, size, filesystem }: FoundPartition): string {
  return `loop,noatime,offset=${start},sizelimit=${size}${MOUNT_OPTIONS[filesystem] ?? ''}`;
}

/** Mounts a file system that is a part of a disk. */
export async function mountPartition(executor: Executor, disk: string, partition: FoundPartition, folder: string): Promise<void> {
  await executor.run(['mount', '-t', partition.filesystem, '-o', mountOptions(partition), disk, folder]);
}

/** What mounting ends with where the file system is there and is no root. */
const NO_ROOT = 64;
/**
 * Mounts $3 on $4 if it holds a root. Of btrfs the root can be a subvolume that is not the default: those at the top of the file system are looked at,
 * which all have the inode number 256. Says which subvolume it is, and then what fstab says, which is read from outside: what the root needs to run a
 * program may have to be mounted first. Nothing of the image is run, and no link of it followed.
 */
const MOUNT_ROOT = `
mount -t "$1" -o "$2" "$3" "$4"
is_root() { [ -d "$1/etc" ] && [ ! -L "$1/etc" ] && [ -d "$1/usr" ] && [ ! -L "$1/usr" ]; }
if ! is_root "$4"; then
  found=
  if [ "$1" = btrfs ]; then
    device=$(findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$4")
    umount "$4"
    mount -t btrfs -o "$2,subvolid=5" "$3" "$4"
    for name in root @ @rootfs $(ls "$4" | grep -E '^[A-Za-z0-9@._-]+$'); do
      if [ ! -L "$4/$name" ] && [ "$(stat -c %i "$4/$name" 2>/dev/null)" = 256 ] && is_root "$4/$name"; then found=$name; break; fi
    done
  fi
  umount "$4"
  [ -n "$found" ] || exit ${NO_ROOT}
  mount -t btrfs -o "$2,subvol=/$found" "$3" "$4"
fi
if [ "$1" = btrfs ]; then findmnt --noheadings --output FSROOT --mountpoint "$4"; else echo /; fi
cd "$4"
if [ -f etc/fstab ] && [ ! -L etc/fstab ]; then head -c 262144 etc/fstab; fi
`;

/**
 * Finds the root among the parts of a disk and mounts it: what its type or name says is the root, else what holds one. Throws `root-missing` with a table
 * of what is there, and `filesystem-unsupported` where the kernel cannot mount what looks like it.
 */
export async function mountRoot(
  executor: Executor,
  disk: string,
  parts: readonly FoundPartition[],
  folder: string,
): Promise<{ readonly partition: RootPartition; readonly fstab: string }> {
  let failure: IngotError | undefined;
  for (const candidate of rootCandidates(parts)) {
    try {
      const argv = ['sh', '-ec', MOUNT_ROOT, 'sh', candidate.filesystem, mountOptions(candidate), disk, folder] as const;
      const { stdout, exitCode } = await executor.run(argv, { accept: [NO_ROOT], shown: ['mount', '-t', candidate.filesystem, disk] });
      if (exitCode === NO_ROOT) continue;
      const [subvolume = '', ...fstab] = stdout.split('\n');
      const partition = candidate.filesystem === 'btrfs' ? { ...candidate, subvolume: subvolume.trim().replace(/^\/+/, '') } : candidate;
      return { partition, fstab: fstab.join('\n') };
    } catch (error) {
      if (!(error instanceof IngotError) || error.code !== 'command-failed') throw error;
      failure ??= error;
    }
  }
  const detail = describePartitions(parts);
  if (failure !== undefined) {
    throw new IngotError('verification', 'filesystem-unsupported', 'A file system of the disk cannot be mounted', {
      cause: failure,
      detail: [failure.detail, detail].join('\n'),
      hint: 'It may have been made by a newer kernel than that which opens it here, or be damaged. Try the other place: --workspace vm, or --workspace host.',
    });
  }
  throw new IngotError('verification', 'root-missing', 'There is no root of a Linux system on the disk', {
    detail: detail === '' ? 'There is nothing on the disk.' : `On the disk there is:\n${detail}`,
    hint: `A root has /etc and /usr, on ${FILESYSTEMS.join(', ')}.`,
  });
}

/** A part of the disk and the path in the image where it belongs. */
export interface PlannedMount {
  readonly path: string;
  readonly partition: FoundPartition;
  /** Of btrfs, from the top of the file system. */
  readonly subvolume?: string;
}

/**
 * Which parts of a disk an fstab mounts where, outer mounts first. The text is the image's and not trusted: lines count only where they name a part of
 * this disk, a file system of its type, and a path without links and tricks.
 */
export function mountsOf(fstab: string, partitions: readonly FoundPartition[]): PlannedMount[] {
  const mounts = new Map<string, PlannedMount>();
  for (const line of fstab.split('\n').slice(0, FSTAB_LINES)) {
    const [device = '', path = '', filesystem = '', options = ''] = line.trim().split(/\s+/);
    const partition = partitions.find((each) => OTHER_FILESYSTEMS.includes(each.filesystem) && isNamed(device, each));
    if (partition === undefined || foundMountProblem(path) !== undefined || options.split(',').includes('noauto')) continue;
    if (filesystem !== partition.filesystem && filesystem !== 'auto') continue;
    const subvolume = partition.filesystem === 'btrfs' ? /(?:^|,)subvol=\/?([A-Za-z0-9@._/-]+)/.exec(options)?.[1] : undefined;
    if (!mounts.has(path)) mounts.set(path, { path, partition, ...(subvolume === undefined ? {} : { subvolume }) });
  }
  return outerFirst([...mounts.values()], ({ path }) => path);
}

/** Whether a word of an fstab means a part of the disk (fstab(5), first field). Names of disks are the machine's, and mean nothing here. */
function isNamed(device: string, { uuid, label, partitionUuid, partitionLabel, volume }: FoundPartition): boolean {
  const words: [string, string | undefined][] = [
    ['UUID=', uuid],
    ['/dev/disk/by-uuid/', uuid],
    ['PARTUUID=', partitionUuid],
    ['/dev/disk/by-partuuid/', partitionUuid],
  ];
  const exact: [string, string | undefined][] = [
    ['LABEL=', label],
    ['/dev/disk/by-label/', label],
    ['PARTLABEL=', partitionLabel],
    ['/dev/mapper/', volume === undefined ? undefined : `${volume.group.replaceAll('-', '--')}-${volume.name.replaceAll('-', '--')}`],
    ['/dev/', volume === undefined ? undefined : `${volume.group}/${volume.name}`],
  ];
  const text = device.replaceAll('"', '');
  return (
    words.some(([word, value]) => value !== undefined && value !== '' && text.toLowerCase() === `${word}${value}`.toLowerCase()) ||
    exact.some(([word, value]) => value !== undefined && value !== '' && text === `${word}${value}`)
  );
}

const FSTAB_LINES = 1000;

/** A folder that is no link, and is not reached through one: only there a mount stays inside the root. Commands of the image do not run meanwhile. */
const CHECK_FOLDER = `
root=$(realpath -e -- "$1")
[ -d "$root$2" ] && [ "$(realpath -e -- "$root$2")" = "$root$2" ] || { echo "$2 is no folder of the image, or is reached through a link" >&2; exit 1; }
`;
/** A subvolume is mounted from the device that the root is mounted from: another loop device with the same file system would be refused. */
const MOUNT_SUBVOLUME = 'mount -t btrfs -o "noatime,subvol=/$1" "$(findmnt --noheadings --nofsroot --output SOURCE --mountpoint "$2")" "$3"';
/** Not every kernel has vfat; then what would go to the EFI system partition stays on the root. */
const MOUNT_VFAT = `said=$(mount -t vfat -o "$1" "$2" "$3" 2>&1) || { grep -qw vfat /proc/filesystems || exit ${NO_ROOT}; echo "$said" >&2; exit 1; }`;

/** Mounts what the image's fstab names below its mounted root. Returns where, outer mounts first. */
export async function mountOthers(
  executor: Executor,
  disk: string,
  root: string,
  partitions: readonly FoundPartition[],
  { partition: rootPartition, fstab }: { readonly partition: RootPartition; readonly fstab: string },
): Promise<PlannedMount[]> {
  const mounted: PlannedMount[] = [];
  for (const mount of mountsOf(fstab, partitions)) {
    const { path, partition, subvolume } = mount;
    const folder = join(root, path);
    const same = partition.start === rootPartition.start;
    if (same && (subvolume === undefined || subvolume === rootPartition.subvolume)) continue;
    await executor.run(['sh', '-ec', CHECK_FOLDER, 'sh', root, path]);
    if (same && subvolume !== undefined) await executor.run(['sh', '-ec', MOUNT_SUBVOLUME, 'sh', subvolume, root, folder]);
    else if (partition.filesystem === 'vfat') {
      const { exitCode } = await executor.run(['sh', '-c', MOUNT_VFAT, 'sh', mountOptions(partition), disk, folder], { accept: [NO_ROOT] });
      if (exitCode === NO_ROOT) continue;
    } else await mountPartition(executor, disk, partition, folder);
    mounted.push(mount);
  }
  return mounted;
}

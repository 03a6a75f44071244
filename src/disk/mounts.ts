import { IngotError } from '../base/errors.ts';
import type { Filesystem } from './layout.ts';

const MIB = 2 ** 20;

/** Smallest file systems that the tools of every release make (mkfs.xfs 6, mkfs.btrfs 6), in bytes. */
export const MINIMUM_FILESYSTEM: Readonly<Record<Filesystem, number>> = { ext4: 16 * MIB, xfs: 300 * MIB, btrfs: 128 * MIB };

const PATH = /^(\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/;

/** Paths that cannot be partitions of their own, at or below them, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  '/boot': 'the boot loader reads it from the root',
  '/etc': 'the system needs it before anything else is mounted',
  ...Object.fromEntries(
    ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].map((path) => [path, 'the system needs it before anything else is mounted']),
  ),
  ...Object.fromEntries(['/dev', '/proc', '/sys', '/run', '/var/run', '/var/lock'].map((path) => [path, 'the kernel and systemd fill it at every boot'])),
};

/** Why a path cannot be a mount point, or undefined. */
export function mountProblem(path: string): string | undefined {
  if (path === '/') return 'the root is there already, and has what the others leave';
  if (!PATH.test(path)) return 'it is not an absolute path of letters, digits, dots, dashes and underscores';
  return Object.entries(REFUSED).find(([refused]) => path === refused || path.startsWith(`${refused}/`))?.[1];
}

/** What an image that others made may have as partitions of its own all the same: a workspace mounts them before anything is read. */
const FOUND = ['/boot', '/usr'];

/** Why a mount point of an image that others made is not mounted, or undefined. */
export function foundMountProblem(path: string): string | undefined {
  if (PATH.test(path) && FOUND.some((allowed) => path === allowed || path.startsWith(`${allowed}/`))) return undefined;
  return mountProblem(path);
}

/** Checks the mount points of partitions; throws `mount-refused` and `mount-twice`. A mount within another is fine. */
export function checkMounts(paths: readonly string[]): void {
  for (const path of paths) {
    const problem = mountProblem(path);
    if (problem !== undefined) throw new IngotError('usage', 'mount-refused', `${path} cannot be a partition of its own: ${problem}`);
  }
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice !== undefined) throw new IngotError('usage', 'mount-twice', `Two partitions are to be mounted at ${twice}`);
}

/** Paths such that an outer one comes before those within it. */
export function outerFirst<T>(items: readonly T[], pathOf: (item: T) => string): T[] {
  return items.toSorted((a, b) => (pathOf(a) < pathOf(b) ? -1 : pathOf(a) > pathOf(b) ? 1 : 0));
}

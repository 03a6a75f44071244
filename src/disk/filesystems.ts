import { IngotError } from '../base/errors.ts';
import type { Argv } from '../base/process.ts';
import { formatSize } from '../base/types.ts';
import type { Executor } from '../workspace/executor.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import type { Filesystem } from './layout.ts';

/** A file system to be made in a raw disk, and the tree that fills it. Offsets and sizes in bytes. */
export interface NewFilesystem {
  readonly label: string;
  readonly mount: string;
  readonly filesystem: Filesystem;
  readonly uuid: string;
  readonly start: number;
  readonly size: number;
  /** The tree as the executor sees it. */
  readonly tree: string;
  readonly ext4Features: readonly string[];
}

export const DISK_INSIDE = '/tmp/disk.raw';
const TREE_INSIDE = '/tmp/tree';
const MIB = 2 ** 20;

/** Makes and fills a file system with the image's own tools. Throws `partition-full` where the tree does not fit. */
export async function makeFilesystem(executor: Executor, root: GuestRoot, raw: string, wanted: NewFilesystem): Promise<void> {
  await checkFits(executor, wanted);
  if (wanted.filesystem === 'ext4') await makeExt4(root, raw, wanted);
  else await makeThroughKernel(executor, root, raw, wanted);
}

/** Part of a file system that its own tables may take. */
const OVERHEAD = 0.08;

async function checkFits(executor: Executor, { mount, size, tree }: NewFilesystem): Promise<void> {
  const { stdout } = await executor.run(['du', '--summarize', '--one-file-system', '--block-size=1', tree], { timeout: 300 });
  const needed = Number.parseInt(stdout, 10);
  if (needed <= size * (1 - OVERHEAD)) return;
  throw new IngotError('usage', 'partition-full', `What goes to ${mount} has ${formatSize(needed)}, and its partition ${formatSize(size)}`, {
    hint: mount === '/' ? 'Give the disk a larger size.' : `Give the partition for ${mount} a larger size.`,
  });
}

async function makeExt4(root: GuestRoot, raw: string, wanted: NewFilesystem): Promise<void> {
  const argv: Argv = [
    // With SOURCE_DATE_EPOCH, mke2fs of 1.47.1 and later limits the times of files, which Python's byte code holds too.
    ...(['env', '-u', 'SOURCE_DATE_EPOCH', 'mke2fs', '-q', '-F', '-t', 'ext4', '-L', wanted.label, '-U', wanted.uuid, '-m', '1'] as const),
    // Tables are written now: the guest's kernel would otherwise do it in the background of every first boot.
    '-E',
    `offset=${wanted.start},hash_seed=${wanted.uuid},lazy_itable_init=0,lazy_journal_init=0,nodiscard`,
    ...(wanted.ext4Features.length === 0 ? [] : ['-O', wanted.ext4Features.join(',')]),
    '-d',
    TREE_INSIDE,
    DISK_INSIDE,
    `${wanted.size / 1024}k`,
  ];
  await root.run(argv, { bind: { [DISK_INSIDE]: raw, [TREE_INSIDE]: wanted.tree }, timeout: 1800 });
}

/** xfs and btrfs are filled through the kernel: their mkfs knows no offset into a file, and mkfs.xfs no tree. */
async function makeThroughKernel(executor: Executor, root: GuestRoot, raw: string, wanted: NewFilesystem): Promise<void> {
  const partition = `${raw}.partition`;
  const mount = `${raw}.mount`;
  await executor.run(['truncate', '-s', String(wanted.size), partition]);
  const make =
    wanted.filesystem === 'xfs'
      ? (['mkfs.xfs', '-q', '-m', `uuid=${wanted.uuid}`, '-L', wanted.label.slice(0, 12), DISK_INSIDE] as const)
      : (['mkfs.btrfs', '-q', '-U', wanted.uuid, '-L', wanted.label, DISK_INSIDE] as const);
  await root.run(make, { bind: { [DISK_INSIDE]: partition } });
  await executor.run(['mkdir', '-p', mount]);
  await executor.run(['mount', '-o', 'loop', partition, mount]);
  try {
    await executor.run(['cp', '-a', `${wanted.tree}/.`, mount], { timeout: 1800 });
    // With the disk full, everything else reports success: only this does not.
    await executor.run(['sync', '-f', mount]);
  } finally {
    await executor.run(['umount', mount]);
  }
  await executor.run(['dd', `if=${partition}`, `of=${raw}`, 'bs=1M', `seek=${wanted.start / MIB}`, 'conv=notrunc,sparse', 'status=none'], { timeout: 1800 });
  await executor.run(['rm', partition]);
}

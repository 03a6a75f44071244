import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import type { Argv } from '../base/process.ts';
import { hexOf, type Digest, type HostPath } from '../base/types.ts';
import { NestedExecutor } from '../workspace/nested.ts';
import type { Executor } from '../workspace/executor.ts';
import type { AttachedDisk, Place } from '../workspace/place.ts';
import { PROGRAMS_OF_HOST } from './confine.ts';
import { MINIMUM_DISK, planDisk, sfdiskScript, type DiskLayout } from './layout.ts';
import { formatEfi } from './write.ts';

/*
 * A disk of ingot's own layout that holds the tree of a root file system, as somebody published it: nothing on it starts yet.
 */

const GIB = 2 ** 30;
/** Kernel, boot loader and what else makes a system of a tree, besides the tree itself. */
const ROOM = 1.5 * GIB;

/** Bytes of the disk for a tree of so many bytes: whole GiB. */
export function treeDiskSize(bytes: number): number {
  return Math.max(MINIMUM_DISK, Math.ceil((bytes * 1.1 + ROOM) / GIB) * GIB);
}

/** The layout of a tree's disk: the archive's digest decides every identifier on it. Throws `arch-unsupported`. */
export function treeLayout(archive: Digest, { size, arch }: { readonly size: number; readonly arch: string }): DiskLayout {
  return planDisk({ size, arch, filesystem: 'ext4', seed: hexOf(archive) });
}

/** What every kernel and GRUB in use reads, whatever this host's mke2fs makes by default. */
const FEATURES = 'none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

const UNPACK_SECONDS = 3600;

/** Folders that a system is started into. */
const FOLDERS =
  'for name in dev proc sys run tmp etc boot; do [ -e "$1/$name" ] || [ -L "$1/$name" ] || mkdir "$1/$name"; done; [ -L "$1/tmp" ] || chmod 1777 "$1/tmp"';

/**
 * Partitions an empty disk and unpacks an archive of a root into it, all in a place. `archive` is a folder of this host whose only file is `root.tar`, which
 * {@link readRootArchive} has read. tar sees programs, the archive and the mounted root, has no network and few rights. Throws `unpack-failed`, `disk-full`.
 */
export async function fillTreeDisk(place: Place, disk: AttachedDisk, layout: DiskLayout, archive: HostPath): Promise<void> {
  const { executor } = place;
  const tar = join(await place.provide(archive), ARCHIVE_FILE);
  await executor.run(['sfdisk', '--quiet', disk.path], { stdin: sfdiskScript(layout) });
  if (layout.efi !== undefined) await formatEfi(executor, disk.path, layout.efi, layout.efiSerial);
  const { root, filesystemUuid: uuid } = layout;
  const extended = `offset=${root.start},hash_seed=${uuid},lazy_itable_init=0,lazy_journal_init=0,nodiscard`;
  await executor.run(
    ['mke2fs', '-q', '-F', '-t', 'ext4', '-L', 'root', '-U', uuid, '-m', '1', '-O', FEATURES, '-E', extended, disk.path, `${root.size / 1024}k`],
    {
      timeout: UNPACK_SECONDS,
    },
  );
  await using nested = await NestedExecutor.start(executor, place.folder);
  await nested.run(['mount', '-t', 'ext4', '-o', `loop,noatime,offset=${root.start},sizelimit=${root.size}`, disk.path, nested.folder]);
  try {
    await unpackTree(nested, tar, nested.folder);
    await nested.run(['sh', '-ec', FOLDERS, 'sh', nested.folder]);
    // With the disk full, everything else reports success: only this does not.
    await nested.run(['sync', '-f', nested.folder], { timeout: UNPACK_SECONDS });
  } finally {
    await nested.run(['umount', nested.folder], { timeout: UNPACK_SECONDS });
  }
}

/** What the archive is called in the folder that a place gets. */
export const ARCHIVE_FILE = 'root.tar';

const [TAR_INSIDE, ROOT_INSIDE] = ['/archive/root.tar', '/root-tree'];
/** Owners, modes and capabilities of files; no devices. */
const CAPABILITIES = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_SETFCAP'];

async function unpackTree(executor: Executor, tar: string, root: string): Promise<void> {
  const box: Argv = [
    ...(['bwrap', '--die-with-parent', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-net'] as const),
    ...PROGRAMS_OF_HOST.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--proc', '/proc', '--dev', '/dev', '--ro-bind', tar, TAR_INSIDE, '--bind', root, ROOT_INSIDE, '--chdir', '/'],
    ...['--cap-drop', 'ALL', ...CAPABILITIES.flatMap((capability) => ['--cap-add', capability]), '--'],
  ];
  const words: Argv = [
    ...(['tar', '--extract', '--file', TAR_INSIDE, '--directory', ROOT_INSIDE, '--numeric-owner', '--same-owner', '--same-permissions'] as const),
    ...['--delay-directory-restore', '--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability'],
    // Every system makes its own.
    ...['--anchored', '--exclude=dev/*', '--exclude=./dev/*'],
  ];
  try {
    await executor.run([...box, ...words], { timeout: UNPACK_SECONDS, shown: words });
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'command-failed') throw error;
    const detail = error.detail ?? '';
    if (/no space left|input\/output error/i.test(detail))
      throw new IngotError('space', 'disk-full', 'The disk became full while the root was unpacked', { cause: error, detail });
    throw new IngotError('verification', 'unpack-failed', 'The archive of the root cannot be unpacked', {
      cause: error,
      detail,
      hint: 'Get it again, and compare its checksum with that of its maker.',
    });
  }
}

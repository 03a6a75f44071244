import type { DiskRecipe } from './recipe.ts';
import type { Argv } from '../base/process.ts';
import type { Executor } from '../workspace/executor.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import { biosBootImages, writeBootMenu } from './grub.ts';
import { SECTOR, sfdiskScript } from './layout.ts';

export interface WriteDiskOptions {
  /** Where the raw disk is put together, as the executor sees it. */
  readonly raw: string;
  /** The finished qcow2. */
  readonly output: string;
  readonly onProgress?: (percent: number) => void;
}

/** Where the four entries of a partition table are in a boot sector. */
const NESTED_TABLE = { start: 446, size: 64 };
const DISK_INSIDE = '/tmp/disk.raw';

/**
 * Turns a root into a partitioned, bootable qcow2. Partition table and root file system are made by the image's own
 * tools, so that their features are ones that its kernel and GRUB can read.
 */
export async function writeDisk(executor: Executor, root: GuestRoot, recipe: DiskRecipe, options: WriteDiskOptions): Promise<void> {
  const { raw } = options;
  const { disk } = recipe;
  await writeBootMenu(root, { release: recipe.release, filesystemUuid: disk.filesystemUuid, kernelArguments: recipe.boot.kernelArguments });
  await executor.run(['truncate', '-s', String(disk.size), raw]);
  await root.run(['sfdisk', '--quiet', DISK_INSIDE], { stdin: sfdiskScript(disk), bind: { [DISK_INSIDE]: raw } });
  await writeEfi(executor, root, recipe, raw);
  await writeBiosBoot(executor, root, recipe, raw);
  await writeRoot(executor, root, recipe, raw);
  await compress(executor, raw, options);
}

async function writeEfi(executor: Executor, root: GuestRoot, { disk, boot }: DiskRecipe, raw: string): Promise<void> {
  const partition = `${raw}@@${disk.efi.start}`;
  const mtools = { MTOOLS_SKIP_CHECK: '1' };
  await executor.run(
    [
      'mformat',
      '-i',
      partition,
      '-F',
      '-T',
      String(disk.efi.size / SECTOR),
      '-h',
      '255',
      '-s',
      '63',
      '-H',
      String(disk.efi.start / SECTOR),
      '-N',
      disk.efiSerial,
      '-v',
      'EFI',
      '::',
    ],
    { env: mtools },
  );
  // mformat leaves a partition table in the boot sector, of which every update-grub in the guest would complain.
  await executor.run([
    'dd',
    'if=/dev/zero',
    `of=${raw}`,
    'bs=1',
    `seek=${disk.efi.start + NESTED_TABLE.start}`,
    `count=${NESTED_TABLE.size}`,
    'conv=notrunc',
    'status=none',
  ]);
  const folders = new Set([boot.efiConfig.path, ...Object.keys(boot.efi)].flatMap((path) => parents(path)));
  await executor.run(['mmd', '-i', partition, ...[...folders].map((folder) => `::/${folder}`)], { env: mtools });
  for (const [path, source] of Object.entries(boot.efi)) await executor.run(['mcopy', '-i', partition, `${root.path}${source}`, `::/${path}`], { env: mtools });
  await executor.run(['mcopy', '-i', partition, '-', `::/${boot.efiConfig.path}`], { env: mtools, stdin: boot.efiConfig.content });
}

/** `a/b/c.efi` -> `a`, `a/b`. */
function parents(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}

async function writeBiosBoot(executor: Executor, root: GuestRoot, recipe: DiskRecipe, raw: string): Promise<void> {
  const { disk, boot } = recipe;
  if (boot.bios === undefined || disk.biosBoot === undefined) return;
  const images = await biosBootImages(root, boot.bios, disk);
  await executor.run(['sh', '-ec', 'base64 -d | dd of="$1" conv=notrunc bs=512 status=none', 'sh', raw], { stdin: images.masterBootRecord });
  await executor.run(
    ['sh', '-ec', 'base64 -d | dd of="$1" seek="$2" conv=notrunc bs=512 status=none iflag=fullblock', 'sh', raw, String(disk.biosBoot.start / SECTOR)],
    { stdin: images.core },
  );
}

async function writeRoot(executor: Executor, root: GuestRoot, recipe: DiskRecipe, raw: string): Promise<void> {
  const { disk } = recipe;
  if (disk.filesystem === 'ext4') return await writeExt4(root, recipe, raw);
  // xfs and btrfs are filled through the kernel: their mkfs knows no offset into a file, and mkfs.xfs no tree.
  const partition = `${raw}.root`;
  const mount = `${raw}.mount`;
  await executor.run(['truncate', '-s', String(disk.root.size), partition]);
  const make =
    disk.filesystem === 'xfs'
      ? (['mkfs.xfs', '-q', '-m', `uuid=${disk.filesystemUuid}`, '-L', 'root', DISK_INSIDE] as const)
      : (['mkfs.btrfs', '-q', '-U', disk.filesystemUuid, '-L', 'root', DISK_INSIDE] as const);
  await root.run(make, { bind: { [DISK_INSIDE]: partition } });
  await executor.run(['mkdir', mount]);
  await executor.run(['mount', '-o', 'loop', partition, mount]);
  try {
    await executor.run(['cp', '-a', `${root.path}/.`, mount], { timeout: 1800 });
    // With the disk full, everything else reports success: only this does not.
    await executor.run(['sync', '-f', mount]);
  } finally {
    await executor.run(['umount', mount]);
  }
  await executor.run(['dd', `if=${partition}`, `of=${raw}`, 'bs=1M', `seek=${disk.root.start / 2 ** 20}`, 'conv=notrunc,sparse', 'status=none'], {
    timeout: 1800,
  });
  await executor.run(['rm', partition]);
}

async function writeExt4(root: GuestRoot, { disk, ext4Features }: DiskRecipe, raw: string): Promise<void> {
  const tree = '/tmp/root';
  const argv: Argv = [
    'mke2fs',
    '-q',
    '-F',
    '-t',
    'ext4',
    '-L',
    'root',
    '-U',
    disk.filesystemUuid,
    '-m',
    '1',
    // Tables are written now: the guest's kernel would otherwise do it in the background of every first boot.
    '-E',
    `offset=${disk.root.start},hash_seed=${disk.filesystemUuid},lazy_itable_init=0,lazy_journal_init=0,nodiscard`,
    ...(ext4Features.length === 0 ? [] : ['-O', ext4Features.join(',')]),
    '-d',
    tree,
    DISK_INSIDE,
    `${disk.root.size / 1024}k`,
  ];
  await root.run(argv, { bind: { [DISK_INSIDE]: raw, [tree]: root.path }, timeout: 1800 });
}

async function compress(executor: Executor, raw: string, { output, onProgress }: WriteDiskOptions): Promise<void> {
  const argv = [
    'qemu-img',
    'convert',
    '-p',
    '-O',
    'qcow2',
    '-c',
    '-W',
    '-m',
    '8',
    '-o',
    `compression_type=zstd,cluster_size=${CLUSTER_SIZE}`,
    raw,
    output,
  ] as const;
  await executor.run(argv, { timeout: 3600, onLine: (line) => reportPercent(line, onProgress) });
  await executor.run(['sync', output]);
}

/** Bytes. Twice qemu-img's default: smaller files, at no cost that a boot shows. */
const CLUSTER_SIZE = 131_072;

/** `qemu-img -p` prints `(12.34/100%)` separated by carriage returns. */
function reportPercent(text: string, onProgress: WriteDiskOptions['onProgress']): void {
  const last = [...text.matchAll(/\((\d+\.\d+)\/100%\)/g)].at(-1)?.[1];
  if (last !== undefined) onProgress?.(Number(last));
}

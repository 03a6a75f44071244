import type { DiskRecipe } from './recipe.ts';
import type { Executor } from '../workspace/executor.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import type { Place } from '../workspace/place.ts';
import { BUILD_EPOCH } from '../workspace/sandbox.ts';
import { biosBootImages, writeBootMenu } from './grub.ts';
import { DISK_INSIDE, makeFilesystem } from './filesystems.ts';
import { rootFilesystem, SECTOR, sfdiskScript } from './layout.ts';
import { lvmMetadata } from './lvm.ts';
import { splitTree } from './split.ts';

export interface WriteDiskOptions {
  /** Where the raw disk is put together, as the executor sees it. */
  readonly raw: string;
  /** The finished qcow2; not yet synced. */
  readonly output: string;
  readonly onProgress?: (percent: number) => void;
}

/** Where the four entries of a partition table are in a boot sector. */
const NESTED_TABLE = { start: 446, size: 64 };

/**
 * Turns a root into a partitioned, bootable qcow2. Partition table and root file system are made by the image's own
 * tools, so that their features are ones that its kernel and GRUB can read.
 */
export async function writeDisk(place: Place, root: GuestRoot, recipe: DiskRecipe, options: WriteDiskOptions): Promise<void> {
  const { executor } = place;
  const { raw } = options;
  const { disk } = recipe;
  await writeBootMenu(root, { release: recipe.release, filesystemUuid: disk.filesystemUuid, kernelArguments: recipe.boot.kernelArguments });
  await executor.run(['truncate', '-s', String(disk.size), raw]);
  await root.run(['sfdisk', '--quiet', DISK_INSIDE], { stdin: sfdiskScript(disk), bind: { [DISK_INSIDE]: raw } });
  await writeEfi(executor, root, recipe, raw);
  await writeBiosBoot(executor, root, recipe, raw);
  await writeLvm(executor, recipe, raw);
  await writeFilesystems(executor, root, recipe, raw);
  await compress(place, raw, options);
}

async function writeEfi(executor: Executor, root: GuestRoot, { disk: { efi, efiSerial }, boot }: DiskRecipe, raw: string): Promise<void> {
  if (efi === undefined || boot.efiConfig === undefined) return;
  const partition = `${raw}@@${efi.start}`;
  const mtools = { MTOOLS_SKIP_CHECK: '1', SOURCE_DATE_EPOCH: String(BUILD_EPOCH), TZ: 'UTC' };
  await executor.run(
    [
      'mformat',
      '-i',
      partition,
      '-F',
      '-T',
      String(efi.size / SECTOR),
      '-h',
      '255',
      '-s',
      '63',
      '-H',
      String(efi.start / SECTOR),
      '-N',
      efiSerial,
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
    `seek=${efi.start + NESTED_TABLE.start}`,
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

async function writeLvm(executor: Executor, { disk: { root, lvm } }: DiskRecipe, raw: string): Promise<void> {
  if (lvm === undefined) return;
  const script = 'base64 -d | dd of="$1" seek="$2" conv=notrunc bs=512 status=none iflag=fullblock';
  const stdin = lvmMetadata(lvm, root.size, BUILD_EPOCH).toString('base64');
  await executor.run(['sh', '-ec', script, 'sh', raw, String(root.start / SECTOR)], { stdin });
}

/** The file systems of the partitions and of the root, each filled with its part of the tree. */
async function writeFilesystems(executor: Executor, root: GuestRoot, { disk, ext4Features }: DiskRecipe, raw: string): Promise<void> {
  const mounts = disk.mounts ?? [];
  const trees = await splitTree(
    executor,
    root,
    mounts.map(({ mount }) => mount),
  );
  for (const { mount, name, filesystem, filesystemUuid, start, size } of mounts) {
    const tree = trees.get(mount);
    if (tree === undefined) throw new Error(`nothing was taken out for ${mount}`);
    await makeFilesystem(executor, root, raw, { label: name.slice(0, 16), mount, filesystem, uuid: filesystemUuid, start, size, tree, ext4Features });
  }
  const { filesystem, filesystemUuid: uuid } = disk;
  await makeFilesystem(executor, root, raw, { label: 'root', mount: '/', filesystem, uuid, ...rootFilesystem(disk), tree: root.path, ext4Features });
}

async function compress(place: Place, raw: string, { output, onProgress }: WriteDiskOptions): Promise<void> {
  const convert = ['qemu-img', 'convert', '-p', '-f', 'raw', '-O', 'qcow2', '-c', '-W', '-m', '8'] as const;
  const options = `compression_type=zstd,cluster_size=${CLUSTER_SIZE}`;
  await place.readDisk(raw, (path) => [...convert, '-o', options, path, output], { timeout: 3600, onLine: (line) => reportPercent(line, onProgress) });
}

/** Bytes. Twice qemu-img's default: smaller files, at no cost that a boot shows. */
const CLUSTER_SIZE = 131_072;

/** `qemu-img -p` prints `(12.34/100%)` separated by carriage returns. */
function reportPercent(text: string, onProgress: WriteDiskOptions['onProgress']): void {
  const last = [...text.matchAll(/\((\d+\.\d+)\/100%\)/g)].at(-1)?.[1];
  if (last !== undefined) onProgress?.(Number(last));
}

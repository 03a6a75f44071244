import { parentsOf } from '../base/files.ts';
import type { BootRecipe, DiskRecipe } from './recipe.ts';
import type { Executor } from '../workspace/executor.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import type { Place } from '../workspace/place.ts';
import { BUILD_EPOCH } from '../workspace/sandbox.ts';
import { biosBootImages, writeBootMenu, type BiosDisk } from './grub.ts';
import { DISK_INSIDE, makeFilesystem } from './filesystems.ts';
import { rootFilesystem, SECTOR, sfdiskScript, type Partition } from './layout.ts';
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
  await formatEfi(executor, raw, efi, efiSerial);
  await fillEfi(executor, root, `${raw}@@${efi.start}`, boot);
}

/** What mtools needs to make the same bytes each time. */
const MTOOLS = { MTOOLS_SKIP_CHECK: '1', SOURCE_DATE_EPOCH: String(BUILD_EPOCH), TZ: 'UTC' };

/** Makes the empty file system of an EFI system partition; `serial` is eight hexadecimal digits. */
export async function formatEfi(executor: Executor, raw: string, { start, size }: Partition, serial: string): Promise<void> {
  const geometry = ['-T', String(size / SECTOR), '-h', '255', '-s', '63', '-H', String(start / SECTOR)];
  await executor.run(['mformat', '-i', `${raw}@@${start}`, '-F', ...geometry, '-N', serial, '-v', 'EFI', '::'], { env: MTOOLS });
  // mformat leaves a partition table in the boot sector, of which every update-grub in the guest would complain.
  const { start: at, size: length } = NESTED_TABLE;
  await executor.run(['dd', 'if=/dev/zero', `of=${raw}`, 'bs=1', `seek=${start + at}`, `count=${length}`, 'conv=notrunc', 'status=none']);
}

/**
 * Puts boot loaders of the root, and what they are told, into an EFI system partition; `at` is where, as mtools takes it. The root's own programs read its files:
 * a link there must not lead to others.
 */
export async function fillEfi(executor: Executor, root: GuestRoot, at: string, { efi, efiConfig }: Pick<BootRecipe, 'efi' | 'efiConfig'>): Promise<void> {
  const folders = new Set([...(efiConfig === undefined ? [] : [efiConfig.path]), ...Object.keys(efi)].flatMap((path) => parentsOf(path)));
  await makeEfiFolders(executor, at, folders);
  const copy = 'at=$1 path=$2 file=$3; shift 3; "$@" >"$file"; mcopy -D o -i "$at" "$file" "::/$path"; rm "$file"';
  for (const [path, source] of Object.entries(efi)) {
    await executor.run(['sh', '-ec', copy, 'sh', at, path, `${root.path}.efi-file`, ...root.commandLine(['cat', source])], { env: MTOOLS });
  }
  if (efiConfig !== undefined) await executor.run(['mcopy', '-D', 'o', '-i', at, '-', `::/${efiConfig.path}`], { env: MTOOLS, stdin: efiConfig.content });
}

async function makeEfiFolders(executor: Executor, at: string, folders: ReadonlySet<string>): Promise<void> {
  if (folders.size > 0) await executor.run(['mmd', '-D', 's', '-i', at, ...[...folders].map((folder) => `::/${folder}`)], { env: MTOOLS });
}

/** Puts a file that the executor sees into an EFI system partition. */
export async function putEfiFile(executor: Executor, at: string, file: string, path: string): Promise<void> {
  await makeEfiFolders(executor, at, new Set(parentsOf(path)));
  await executor.run(['mcopy', '-D', 'o', '-i', at, file, `::/${path}`], { env: MTOOLS });
}

/** Puts GRUB into the first sector and the BIOS boot partition, where there is one and the recipe has GRUB for it. */
export async function writeBiosBoot(
  executor: Executor,
  root: GuestRoot,
  { disk, boot }: { readonly disk: BiosDisk; readonly boot: Pick<BootRecipe, 'bios'> },
  raw: string,
): Promise<void> {
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

import { join } from 'node:path';
import { biosBootImages } from '../../src/disk/grub.ts';
import { planDisk } from '../../src/disk/layout.ts';
import { lvmMetadata } from '../../src/disk/lvm.ts';
import { planLvm } from '../../src/disk/lvm-layout.ts';
import { makeScratch } from '../../src/base/scratch.ts';
import type { Context } from '../../src/operations/operation.ts';
import { layerPaths, openStore } from '../../src/store/store.ts';
import { openPlace } from '../../src/workspace/place.ts';
import { openThrowAway } from '../../src/workspace/throw-away.ts';
import type { Workspace } from '../../src/workspace/workspace.ts';

/*
 * Disks of one Debian, laid out in ways of others: made from an image of the store, whose tree is copied into file systems in a sparse file. GRUB is put
 * where BIOS looks for it; none of them has an EFI system partition.
 */

const MIB = 2 ** 20;
const SIZE = 3072 * MIB;
const UUID = { root: '11111111-2222-4333-8444-555555555555', boot: '66666666-2222-4333-8444-555555555555' };

/** How each is laid out. */
export const VARIANTS = {
  'mbr-root-first': 'older partition table, root first and swap behind it, ext4, BIOS alone',
  'gpt-bios-only': 'GPT, no EFI system partition, ext4, BIOS alone',
  'lvm-separate-boot': 'GPT, a root on LVM and a /boot of its own, ext4, BIOS alone',
  'whole-disk': 'ext4 without a partition table, which does not start by itself',
  xfs: 'older partition table, xfs, BIOS alone',
  'btrfs-subvolumes': 'GPT, root and /home as subvolumes of btrfs, BIOS alone',
} as const;
export type Variant = keyof typeof VARIANTS;

interface Shape {
  readonly label: 'dos' | 'gpt' | undefined;
  /** Lines of sfdisk's script. */
  readonly table: string;
  /** Bytes. */
  readonly root: { readonly start: number; readonly size: number };
  /** Where GRUB's core is: the gap behind the older table, or a partition of its own; absent on a disk that does not start. */
  readonly core?: { readonly start: number; readonly size: number };
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly boot?: { readonly start: number; readonly size: number };
  readonly lvm?: boolean;
  readonly subvolume?: string;
}

const GAP = { start: 512, size: MIB - 512 };
const BIOS_BOOT = { start: MIB, size: MIB };
const BIOS_BOOT_LINE = '14 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n';

const SHAPES: Readonly<Record<Variant, Shape>> = {
  'mbr-root-first': {
    label: 'dos',
    table: 'start=2048, size=6080512, type=83, bootable\nstart=6082560, size=131072, type=82\n',
    root: { start: MIB, size: 2969 * MIB },
    core: GAP,
    filesystem: 'ext4',
  },
  'gpt-bios-only': {
    label: 'gpt',
    table: `${BIOS_BOOT_LINE}1 : start=4096, size=6283264, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n`,
    root: { start: 2 * MIB, size: 3068 * MIB },
    core: BIOS_BOOT,
    filesystem: 'ext4',
  },
  'lvm-separate-boot': {
    label: 'gpt',
    table: `${BIOS_BOOT_LINE}1 : start=4096, size=524288, type=BC13C2FF-59E6-4262-A352-B275FD6F7172\n2 : start=528384, size=5758976, type=E6D6D379-F507-44C2-A23C-238F2A3DF928\n`,
    boot: { start: 2 * MIB, size: 256 * MIB },
    root: { start: 258 * MIB, size: 2812 * MIB },
    core: BIOS_BOOT,
    filesystem: 'ext4',
    lvm: true,
  },
  'whole-disk': { label: undefined, table: '', root: { start: 0, size: SIZE }, filesystem: 'ext4' },
  xfs: { label: 'dos', table: 'start=2048, size=6287360, type=83, bootable\n', root: { start: MIB, size: 3070 * MIB }, core: GAP, filesystem: 'xfs' },
  'btrfs-subvolumes': {
    label: 'gpt',
    table: `${BIOS_BOOT_LINE}1 : start=4096, size=6283264, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n`,
    root: { start: 2 * MIB, size: 3068 * MIB },
    core: BIOS_BOOT,
    filesystem: 'btrfs',
    subvolume: '@root',
  },
};

/** Makes a disk of the variant, as a compressed qcow2 at `target`. `image` has the tools of its file system. */
export async function makeVariant(context: Context, image: string, variant: Variant, target: string): Promise<void> {
  const { host, home } = context;
  const found = await openStore(host, home).resolve(image);
  await using scratch = await makeScratch(host, home, 'test');
  await using place = await openPlace(context, { kind: 'host', scratch: scratch.path });
  const size = found.config['dev.ingot.image'].disk.size;
  await using workspace = await openThrowAway(context, place, { chain: layerPaths(home, found), size, scratch: scratch.path });
  const raw = join(scratch.path, 'variant.raw');
  await build(workspace, SHAPES[variant], raw, join(scratch.path, 'tree'));
  await host.processes.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', '-W', '-m', '8', '-o', 'compression_type=zstd', raw, target]);
}

async function build({ executor, root }: Workspace, shape: Shape, raw: string, tree: string): Promise<void> {
  const { label, table, filesystem, boot, core, lvm = false, subvolume } = shape;
  const run = (script: string, ...words: string[]): Promise<unknown> => executor.run(['sh', '-ec', script, 'sh', ...words], { timeout: 900 });
  await run('truncate -s "$1" "$2"', String(SIZE), raw);
  if (label !== undefined) await executor.run(['sfdisk', '--quiet', raw], { stdin: `label: ${label}\nunit: sectors\n${table}` });
  const volume = planLvm(shape.root.size, 'test');
  const place = lvm ? { start: shape.root.start + volume.dataStart, size: volume.size } : shape.root;
  if (lvm) {
    const stdin = lvmMetadata(volume, shape.root.size, 0).toString('base64');
    await executor.run(
      ['sh', '-ec', 'base64 -d | dd of="$1" seek="$2" bs=512 conv=notrunc status=none iflag=fullblock', 'sh', raw, String(shape.root.start / 512)],
      { stdin },
    );
  }
  await makeFilesystem(run, root, filesystem, UUID.root, place, raw, tree);
  const inner = subvolume === undefined ? tree : join(tree, subvolume);
  // A subvolume is made by a call of the kernel (BTRFS_IOC_SUBVOL_CREATE).
  if (subvolume !== undefined) {
    const perl = 'open(my $d, "<", $ARGV[0]) or die; ioctl($d, 0x5000940e, pack("q a4088", 0, $ARGV[1])) or die "$!"';
    for (const name of [subvolume, '@home']) await run('perl -e "$3" "$1" "$2"', tree, name, perl);
  }
  if (boot !== undefined) {
    await run('mkdir "$1/boot"', inner);
    await makeFilesystem(run, root, 'ext4', UUID.boot, boot, raw, join(inner, 'boot'));
  }
  const prefix = boot !== undefined ? '' : subvolume === undefined ? '/boot' : `/${subvolume}/boot`;
  await run('cp -a "$1/." "$2"; rm -rf "$2/boot/efi"; printf %s "$3" >"$2/etc/fstab"', root.path, inner, fstabOf(shape));
  // The menu of the image names the file system that it was on.
  const menu = `sed -i -E 's#(root=UUID=|fs-uuid --set=root )[0-9a-f-]+#\\1${UUID.root}#; s#(linux|initrd) /boot#\\1 ${prefix}#; s# ro # ro ${subvolume === undefined ? '' : `rootflags=subvol=${subvolume} `}#' "$1"`;
  await run(menu, join(inner, 'boot/grub/grub.cfg'));
  if (boot !== undefined) await run(`sed -i 's#--set=root ${UUID.root}#--set=root ${UUID.boot}#' "$1"`, join(inner, 'boot/grub/grub.cfg'));
  // GRUB's core looks below /boot/grub of the file system that it finds.
  if (subvolume !== undefined) await run('ln -s "$2/boot" "$1/boot"', tree, subvolume);
  if (boot !== undefined) await run('ln -s . "$1/boot/boot"', inner);
  if (core !== undefined) await installGrub(executor, root, raw, { core, filesystem: boot === undefined ? UUID.root : UUID.boot });
  if (boot !== undefined) await run('umount "$1"', join(inner, 'boot'));
  await run('sync -f "$1"; umount "$1"', tree);
}

function fstabOf({ filesystem, boot, lvm, subvolume, label }: Shape): string {
  const device = lvm === true ? '/dev/mapper/system-root' : label === undefined ? 'LABEL=variant' : `UUID=${UUID.root}`;
  const root = subvolume === undefined ? 'defaults' : `subvol=${subvolume}`;
  return [
    `${device} / ${filesystem} ${root} 0 1`,
    ...(subvolume === undefined ? [] : [`${device} /home btrfs subvol=@home 0 0`]),
    ...(boot === undefined ? [] : [`UUID=${UUID.boot} /boot ext4 defaults 0 2`]),
    '',
  ].join('\n');
}

type Run = (script: string, ...words: string[]) => Promise<unknown>;

async function makeFilesystem(
  run: Run,
  root: Workspace['root'],
  filesystem: string,
  uuid: string,
  { start, size }: { readonly start: number; readonly size: number },
  raw: string,
  folder: string,
): Promise<void> {
  const part = `${raw}.part`;
  await run('rm -f "$1"; truncate -s "$2" "$1"; mkdir -p "$3"', part, String(size), folder);
  const make = {
    ext4: ['mke2fs', '-q', '-F', '-t', 'ext4', '-L', 'variant', '-U', uuid, '/tmp/part'],
    xfs: ['mkfs.xfs', '-q', '-m', `uuid=${uuid}`, '/tmp/part'],
    btrfs: ['mkfs.btrfs', '-q', '-U', uuid, '/tmp/part'],
  }[filesystem];
  if (make === undefined) throw new Error(`there is no ${filesystem}`);
  const [file = '', ...words] = make;
  await root.run([file, ...words], { bind: { '/tmp/part': part } });
  await run('dd if="$1" of="$2" bs=1M oflag=seek_bytes seek="$3" conv=notrunc,sparse status=none; rm "$1"', part, raw, String(start));
  await run('mount -o "loop,offset=$1,sizelimit=$2" "$3" "$4"', String(start), String(size), raw, folder);
}

/** Boot code in the first sector, and GRUB's core, which reads its menu from a file system. */
async function installGrub(
  executor: Workspace['executor'],
  root: Workspace['root'],
  raw: string,
  { core, filesystem }: { readonly core: NonNullable<Shape['core']>; readonly filesystem: string },
): Promise<void> {
  const plan = planDisk({ size: SIZE, filesystem: 'ext4', arch: 'amd64', seed: 'test' });
  const biosBoot = { number: 14, name: 'core', type: '', uuid: '', ...core };
  const modules = [
    'biosdisk',
    'part_msdos',
    'part_gpt',
    'ext2',
    'xfs',
    'btrfs',
    'search',
    'search_fs_uuid',
    'normal',
    'configfile',
    'linux',
    'boot',
    'echo',
    'test',
    'serial',
    'terminal',
    'gzio',
    'zstd',
  ];
  const images = await biosBootImages(root, { platform: 'i386-pc', modules }, { ...plan, filesystemUuid: filesystem, biosBoot });
  const write = 'base64 -d | dd of="$1" seek="$2" bs=512 conv=notrunc status=none iflag=fullblock';
  await executor.run(['sh', '-ec', write, 'sh', raw, '0'], { stdin: images.masterBootRecord });
  await executor.run(['sh', '-ec', write, 'sh', raw, String(core.start / 512)], { stdin: images.core });
}

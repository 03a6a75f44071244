import type { BootRecipe } from './recipe.ts';
import type { GuestRoot } from '../workspace/guest-root.ts';
import { SECTOR } from './layout.ts';

/** What the boot menu is made of. */
export interface GrubMenu {
  /** The release's name, shown in the menu. */
  readonly release: string;
  readonly filesystemUuid: string;
  readonly kernelArguments: readonly string[];
  /** Where GRUB finds the kernels, where that is not /boot of the root's file system. */
  readonly boot?: { readonly filesystemUuid: string; readonly path: string };
}

/** Versions of the kernels in /boot, newest last. */
export async function installedKernels(root: GuestRoot): Promise<string[]> {
  const { stdout } = await root.run(['linux-version', 'list']);
  const { stdout: sorted } = await root.run(['linux-version', 'sort', ...stdout.split('\n').filter((line) => line !== '')]);
  return sorted.split('\n').filter((line) => line !== '');
}

/** Writes the boot menu of the kernels that are there. */
export async function writeBootMenu(root: GuestRoot, menu: GrubMenu): Promise<void> {
  await root.writeFiles([{ path: '/boot/grub/grub.cfg', mode: '0644', content: grubConfiguration(await installedKernels(root), menu) }]);
}

/**
 * grub.cfg with an entry for each kernel, the newest first and started at once. It names the root by UUID, so nothing
 * of the machine that built it is in it; the image's own update-grub takes over with its first kernel update.
 */
export function grubConfiguration(kernels: readonly string[], menu: GrubMenu): string {
  return grubMenu(
    kernels.toReversed().map((version) => ({ name: version, kernel: `vmlinuz-${version}`, initrd: `initrd.img-${version}` })),
    menu,
  );
}

/** A kernel and its initramfs, by the names of their files in the folder of kernels. */
export interface MenuEntry {
  readonly name: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** grub.cfg with these entries; the first is started at once. */
export function grubMenu(entries: readonly MenuEntry[], { release, filesystemUuid, kernelArguments, boot }: GrubMenu): string {
  const { filesystemUuid: bootUuid, path } = boot ?? { filesystemUuid, path: '/boot' };
  const entry = ({ name, kernel, initrd }: MenuEntry): string => `menuentry '${release}, with Linux ${name}' {
  search --no-floppy --fs-uuid --set=root ${bootUuid}
  linux ${path}/${kernel} root=UUID=${filesystemUuid} ro ${kernelArguments.join(' ')}
  initrd ${path}/${initrd}
}
`;
  return `set timeout=0
set default=0
serial --speed=115200
terminal_input console serial
terminal_output console serial
${entries.map(entry).join('')}`;
}

/** Both as base64: the first 440 bytes of the disk, and the content of the BIOS boot partition. */
export interface BiosBootImages {
  readonly masterBootRecord: string;
  readonly core: string;
}

/** Where GRUB goes, and the file system that it looks for. Bytes. */
export interface BiosDisk {
  readonly filesystemUuid: string;
  readonly biosBoot?: { readonly start: number; readonly size: number } | undefined;
}

/** Offsets and values of GRUB's boot.S and setup.c (util/setup.c, include/grub/i386/pc/boot.h). */
const BOOT_KERNEL_SECTOR = 0x5c;
const BOOT_DRIVE_CHECK = 0x66;
const NOP_NOP = 0x9090;
const BOOT_CODE_END = 440;
const CORE_BLOCKLIST = 0x1f4;

/**
 * What `grub-install` writes for BIOS, made without a block device: grub-mkimage of the image makes the core, and the
 * two places where boot code says in which sector the next part is are filled in here, as grub-bios-setup does.
 */
export async function biosBootImages(root: GuestRoot, bios: NonNullable<BootRecipe['bios']>, disk: BiosDisk): Promise<BiosBootImages> {
  if (disk.biosBoot === undefined) throw new Error('the disk has no BIOS boot partition');
  const start = BigInt(disk.biosBoot.start / SECTOR);
  const folder = `/usr/lib/grub/${bios.platform}`;
  const core = Buffer.from(await grubImage(root, bios, disk.filesystemUuid), 'base64');
  if (core.length > disk.biosBoot.size) throw new Error('the boot loader is larger than its partition');
  core.writeBigUInt64LE(start + 1n, CORE_BLOCKLIST);
  const boot = Buffer.from((await root.run(['base64', '-w0', `${folder}/boot.img`])).stdout, 'base64').subarray(0, BOOT_CODE_END);
  boot.writeBigUInt64LE(start, BOOT_KERNEL_SECTOR);
  boot.writeUInt16LE(NOP_NOP, BOOT_DRIVE_CHECK);
  await copyModules(root, bios.platform);
  return { masterBootRecord: boot.toString('base64'), core: core.toString('base64') };
}

/** GRUB's image for a platform as base64, which goes on with grub.cfg of that file system; made by the root's own grub-mkimage. */
export async function grubImage(root: GuestRoot, { platform, modules }: NonNullable<BootRecipe['bios']>, filesystemUuid: string): Promise<string> {
  const early = `search.fs_uuid ${filesystemUuid} root\nset prefix=($root)/boot/grub\n`;
  const script =
    'cat >/tmp/early.cfg; platform=$1; shift; grub-mkimage -O "$platform" -c /tmp/early.cfg -p /boot/grub -o /tmp/core.img "$@"; base64 -w0 /tmp/core.img';
  return (await root.run(['sh', '-ec', script, 'sh', platform, ...modules], { stdin: early, quiet: true })).stdout;
}

/** Puts GRUB's modules where it looks for those that are not in its image. */
export async function copyModules(root: GuestRoot, platform: string): Promise<void> {
  const script = 'mkdir -p "/boot/grub/$1"; cp "$2"/*.mod "$2"/*.lst "/boot/grub/$1/"';
  await root.run(['sh', '-ec', script, 'sh', platform, `/usr/lib/grub/${platform}`]);
}

import { bootstrapOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { Filesystem } from '../../disk/layout.ts';
import type { BaseOptions } from '../family.ts';

/** What boots the image under BIOS, and under UEFI with Secure Boot, and can repair its own boot loader later. */
const BOOT_PACKAGES: Readonly<Record<'bios' | 'uefi', Readonly<Record<string, readonly string[]>>>> = {
  bios: { amd64: ['grub-pc-bin'] },
  uefi: {
    amd64: ['grub-efi-amd64-bin', 'grub-efi-amd64-signed', 'shim-signed'],
    arm64: ['grub-efi-arm64-bin', 'grub-efi-arm64-signed', 'shim-signed'],
  },
};

const FILESYSTEM_PACKAGES: Readonly<Record<Filesystem, readonly string[]>> = { ext4: ['e2fsprogs'], xfs: ['xfsprogs'], btrfs: ['btrfs-progs'] };

/**
 * The packages that every Debian image holds besides the essential ones: light, and enough for the lab, Proxmox VE
 * and CloudStack on KVM, so that one digest serves all three. login, mount, passwd and tzdata are of priority
 * "required", so every Debian has them; that something essential pulls them in is true of older releases only.
 */
export function basePackages(release: Release, options: BaseOptions): string[] {
  const { arch, firmware = 'both', filesystem, partitions = [], lvm = false, swap } = options;
  const { kernels, without } = bootstrapOf(release);
  const kernel = Object.entries(kernels).find(([known]) => known === arch)?.[1]?.[options.kernel];
  const wanted = [
    'apt',
    'ca-certificates',
    'cloud-guest-utils',
    'cloud-init',
    'curl',
    'dbus',
    'fdisk',
    'grub2-common',
    'initramfs-tools',
    'login',
    'mount',
    'netplan.io',
    'openssh-server',
    'passwd',
    'qemu-guest-agent',
    'sudo',
    'systemd-resolved',
    'systemd-sysv',
    'systemd-timesyncd',
    'tzdata',
    'usr-is-merged',
    'zstd',
    ...(kernel === undefined ? [] : [kernel]),
    ...(firmware === 'uefi' ? [] : (BOOT_PACKAGES.bios[arch] ?? [])),
    ...(firmware === 'bios' ? [] : (BOOT_PACKAGES.uefi[arch] ?? [])),
    ...[filesystem, ...partitions.map((each) => each.filesystem)].flatMap((each) => FILESYSTEM_PACKAGES[each]),
    ...(lvm ? ['lvm2'] : []),
    // chattr, without which there is no swap file on btrfs.
    ...(swap !== undefined && filesystem === 'btrfs' ? ['e2fsprogs'] : []),
  ];
  return [...new Set(wanted)].filter((name) => !without.includes(name)).toSorted();
}

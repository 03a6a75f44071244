import type { Release } from '../../catalog/schema.ts';
import type { Filesystem } from '../../disk/layout.ts';

export interface BaseOptions {
  readonly arch: string;
  readonly kernel: 'cloud' | 'generic';
  readonly filesystem: Filesystem;
}

/** What boots the image under BIOS and under UEFI with Secure Boot, and can repair its own boot loader later. */
const BOOT_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  amd64: ['grub2-common', 'grub-pc-bin', 'grub-efi-amd64-bin', 'grub-efi-amd64-signed', 'shim-signed'],
  arm64: ['grub2-common', 'grub-efi-arm64-bin', 'grub-efi-arm64-signed', 'shim-signed'],
};

const FILESYSTEM_PACKAGES: Readonly<Record<Filesystem, readonly string[]>> = { ext4: ['e2fsprogs'], xfs: ['xfsprogs'], btrfs: ['btrfs-progs'] };

/**
 * The packages that every Debian image holds besides the essential ones: light, and enough for the lab, Proxmox VE
 * and CloudStack on KVM, so that one digest serves all three. login, mount, passwd and tzdata are of priority
 * "required", so every Debian has them; that something essential pulls them in is true of older releases only.
 */
export function basePackages(release: Release, options: BaseOptions): string[] {
  const kernel = release.architectures[options.arch]?.kernels[options.kernel];
  const wanted = [
    'apt',
    'ca-certificates',
    'cloud-guest-utils',
    'cloud-init',
    'curl',
    'dbus',
    'fdisk',
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
    ...(BOOT_PACKAGES[options.arch] ?? []),
    ...FILESYSTEM_PACKAGES[options.filesystem],
  ];
  return wanted.filter((name) => !release.without.includes(name)).toSorted();
}

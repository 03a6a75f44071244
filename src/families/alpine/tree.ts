import type { Release } from '../../catalog/schema.ts';
import type { DiskLayout } from '../../disk/layout.ts';
import { rootFile } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { fstabLine } from '../common/fstab.ts';
import type { BaseOptions, TreeBoot } from '../family.ts';
import { APK } from './install.ts';

/**
 * What makes a machine of Alpine's small root: its kernel for virtual machines, OpenRC with the services of its own cloud images, sshd, and what grows the root.
 * cloud-init, the guest agent and sudo come with the agents, as in every image.
 */
const PACKAGES = ['alpine-base', 'chrony', 'cloud-utils-growpart', 'e2fsprogs', 'e2fsprogs-extra', 'linux-virt', 'openssh', 'sfdisk', 'tzdata'];

const RUNLEVELS: Readonly<Record<string, readonly string[]>> = {
  sysinit: ['devfs', 'dmesg', 'mdev', 'hwdrivers'],
  boot: ['bootmisc', 'hostname', 'hwclock', 'modules', 'networking', 'seedrng', 'swap', 'sysctl', 'syslog'],
  default: ['acpid', 'chronyd', 'crond', 'sshd'],
  shutdown: ['killprocs', 'mount-ro', 'savecache'],
};

/** Not every release has them all. */
const ADD = String.raw`
level=$1; shift
for name; do if [ -x "/etc/init.d/$name" ]; then rc-update --quiet add "$name" "$level"; fi; done
`;
/** The serial console, on which nobody can log in by a password; `*` leaves keys alone, where `!` would lock them out as well. */
const CONSOLE = String.raw`
sed -i -E 's/^#(ttyS0::)/\1/' /etc/inittab
grep -q '^ttyS0::' /etc/inittab || echo 'ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100' >>/etc/inittab
sed -i -E 's/^root:[^:]*:/root:*:/' /etc/shadow
`;

const MODULES = [
  'part_gpt',
  'ext2',
  'search',
  'search_fs_uuid',
  'normal',
  'configfile',
  'linux',
  'boot',
  'echo',
  'test',
  'true',
  'serial',
  'terminal',
  'gzio',
  'sleep',
  'reboot',
  'halt',
  'all_video',
];
const UEFI: Readonly<Record<string, { readonly platform: string; readonly path: string }>> = {
  amd64: { platform: 'x86_64-efi', path: 'EFI/BOOT/BOOTX64.EFI' },
  arm64: { platform: 'arm64-efi', path: 'EFI/BOOT/BOOTAA64.EFI' },
};

/** A machine of Alpine's root file system. */
export function fromTree(release: Release, { arch }: BaseOptions, disk: DiskLayout): TreeBoot {
  const uefi = disk.efi === undefined ? undefined : UEFI[arch];
  const loaders = ['grub', ...(disk.biosBoot === undefined ? [] : ['grub-bios']), ...(uefi === undefined ? [] : ['grub-efi'])];
  return {
    changes: {
      packages: PACKAGES,
      files: [
        rootFile('/etc/fstab', `${fstabLine(disk.filesystemUuid, '/', 'ext4')}\n`),
        rootFile('/etc/hostname', 'localhost\n'),
        rootFile('/etc/hosts', '127.0.0.1 localhost\n::1 localhost\n'),
        rootFile('/etc/network/interfaces', 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n'),
        rootFile('/etc/ssh/sshd_config.d/50-ingot.conf', 'PasswordAuthentication no\nKbdInteractiveAuthentication no\n'),
      ],
      commands: [
        // Its trigger writes a menu of the disk that it finds itself on, which here is none; ingot writes the menu.
        { label: 'boot loader', argv: [...APK, 'add', '--no-scripts', ...loaders], network: true },
        ...Object.entries(RUNLEVELS).map(([level, services]) => shell(`services of ${level}`, ADD, level, ...services)),
        shell('console', CONSOLE),
      ],
      // Alpine's initramfs loads the module of the root's file system by this name.
      kernelArguments: ['modules=ext4', 'rootfstype=ext4'],
    },
    loader: {
      bios: disk.biosBoot === undefined ? undefined : { platform: 'i386-pc', modules: ['biosdisk', 'part_msdos', ...MODULES] },
      efi: {},
      ...(uefi === undefined ? {} : { efiImage: { ...uefi, modules: MODULES } }),
      kernels: [{ name: `virt (${release.id})`, kernel: 'vmlinuz-virt', initrd: 'initramfs-virt' }],
    },
  };
}

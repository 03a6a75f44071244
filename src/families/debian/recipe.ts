import { bootstrapOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { DiskLayout } from '../../disk/layout.ts';
import type { BootRecipe } from '../../disk/recipe.ts';
import type { BootstrapRecipe, DeferredProgram, ResolvedPackage } from '../../sources/bootstrap/recipe.ts';
import { firstBootCommands } from './first-boot.ts';
import { configurationFiles, filesBefore, KERNEL_ARGUMENTS } from './files.ts';
import type { BaseOptions } from '../family.ts';

/** Not unpacked: documentation, translations, and boot loaders for networks and CDs. */
export const EXCLUDE = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/lintian/*',
  '/usr/share/bug/*',
  '/usr/share/groff/*',
  '/usr/share/locale/*',
  '/usr/lib/grub/*/monolithic/*',
  '/usr/lib/grub/*-signed/grubnet*',
  '/usr/lib/grub/*-signed/gcd*',
];
/** Copyrights are a condition of licences. */
export const INCLUDE = ['/usr/share/doc/*/copyright', '/usr/share/locale/locale.alias'];

/**
 * Where Debian keeps modules: shared ones, and those of single programs (netplan of Debian 12 and older, py3compile itself). With
 * SOURCE_DATE_EPOCH in the environment Python would make byte code that is checked against its source's hash at every start.
 */
const COMPILE_PYTHON =
  'for dir in /usr/lib/python3/dist-packages /usr/share/netplan /usr/share/python3; do if [ -d "$dir" ]; then python3 -m compileall -q --invalidation-mode timestamp "$dir"; fi; done';

/** Programs whose every run but the last is wasted, or whose result must not be in an image at all (host keys). */
export const DEFERRED: readonly DeferredProgram[] = [
  { program: '/usr/sbin/update-initramfs', once: { label: 'initramfs', argv: ['update-initramfs', '-c', '-k', 'all'] } },
  { program: '/usr/bin/py3compile', once: { label: 'Python byte code', argv: ['sh', '-ec', COMPILE_PYTHON] } },
  { program: '/usr/sbin/update-ca-certificates', once: { label: 'CA certificates', argv: ['update-ca-certificates', '--fresh'] } },
  { program: '/usr/bin/ssh-keygen' },
];

/** What must not be in a golden image; the gate asserts the same from inside. */
export const SEAL: readonly string[] = [
  'usr/sbin/policy-rc.d',
  'etc/.pwd.lock',
  'etc/passwd-',
  'etc/group-',
  'etc/shadow-',
  'etc/gshadow-',
  'etc/ssh/ssh_host_*',
  'etc/udev/rules.d/70-persistent-*',
  'etc/netplan/50-cloud-init.yaml',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/dhcp/*',
  'var/lib/NetworkManager/*',
  'var/lib/cloud/*',
  'var/lib/apt/lists/*',
  'var/lib/apt/extended_states',
  'var/lib/dpkg/*-old',
  'var/cache/apt/*',
  'var/cache/debconf/*-old',
  'var/cache/ldconfig/*',
  'var/cache/man/*',
  'var/log/*',
  'var/tmp/*',
  'root/.bash_history',
  'boot/*.old-dkms',
  'vmlinuz.old',
  'initrd.img.old',
];

/** Services that slow every boot and serve nothing in a virtual machine that is replaced rather than repaired. */
export const COMMANDS: BootstrapRecipe['commands'] = [
  { label: 'services', argv: ['systemctl', 'enable', 'systemd-networkd.service', 'systemd-resolved.service', 'serial-getty@ttyS0.service'] },
  // Not every release has them all.
  {
    label: 'services',
    argv: [
      'sh',
      '-ec',
      'for unit; do if [ -e "/usr/lib/systemd/system/$unit" ]; then systemctl disable "$unit"; fi; done',
      'sh',
      'e2scrub_reap.service',
      'grub-common.service',
    ],
  },
  { label: 'no password', argv: ['passwd', '--lock', 'root'] },
];

export const GRUB_BIOS_MODULES = [
  'biosdisk',
  'part_gpt',
  'part_msdos',
  'ext2',
  'xfs',
  'btrfs',
  'search',
  'search_fs_uuid',
  'search_label',
  'normal',
  'configfile',
  'linux',
  'boot',
  'echo',
  'test',
  'true',
  'serial',
  'terminal',
  'loadenv',
  'minicmd',
  'ls',
  'cat',
  'halt',
  'reboot',
  'sleep',
  'gzio',
  'zstd',
  'all_video',
];

/** The recipe of a Debian base image: pure, and the whole truth about it. */
export function debianRecipe(release: Release, options: BaseOptions, packages: readonly ResolvedPackage[], disk: DiskLayout): BootstrapRecipe {
  return {
    release: release.id,
    arch: options.arch,
    packages,
    exclude: EXCLUDE,
    include: INCLUDE,
    mergedUsr: options.arch === 'amd64' ? ['bin', 'lib', 'lib64', 'sbin'] : ['bin', 'lib', 'sbin'],
    configureFirst: ['base-passwd', 'base-files'],
    filesBefore: filesBefore(options, disk),
    deferred: DEFERRED,
    files: configurationFiles(release, disk),
    commands: [...COMMANDS, ...firstBootCommands(disk)],
    seal: SEAL,
    truncate: ['etc/machine-id'],
    disk,
    ext4Features: bootstrapOf(release).ext4Features,
    boot: bootRecipe(options.arch, disk),
  };
}

/** How a disk of Debian starts. */
export function bootRecipe(arch: string, disk: DiskLayout): BootRecipe {
  const lvm = disk.lvm === undefined ? [] : ['lvm'];
  const uefi = disk.efi === undefined ? { efi: {} } : uefiFiles(arch, disk);
  return {
    bios: disk.biosBoot === undefined ? undefined : { platform: 'i386-pc', modules: [...GRUB_BIOS_MODULES, ...lvm] },
    ...uefi,
    kernelArguments: KERNEL_ARGUMENTS,
  };
}

/**
 * The removable path, since a template is started by firmware that has never seen it. Debian's signed GRUB reads its
 * configuration from EFI/debian; the module for logical volumes is built into it.
 */
function uefiFiles(arch: string, disk: DiskLayout): Pick<BootRecipe, 'efi' | 'efiConfig'> {
  const { grub, shim, removable } = arch === 'arm64' ? { grub: 'arm64', shim: 'aa64', removable: 'AA64' } : { grub: 'x86_64', shim: 'x64', removable: 'X64' };
  const lvm = disk.lvm === undefined ? '' : 'insmod lvm\n';
  return {
    efi: {
      [`EFI/BOOT/BOOT${removable}.EFI`]: `/usr/lib/shim/shim${shim}.efi.signed`,
      [`EFI/BOOT/grub${shim}.efi`]: `/usr/lib/grub/${grub}-efi-signed/grub${shim}.efi.signed`,
      [`EFI/BOOT/mm${shim}.efi`]: `/usr/lib/shim/mm${shim}.efi.signed`,
    },
    efiConfig: {
      path: 'EFI/debian/grub.cfg',
      content: `${lvm}search.fs_uuid ${disk.filesystemUuid} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n`,
    },
  };
}

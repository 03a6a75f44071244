import { archiveOf } from '../../catalog/catalog.ts';
import type { Release } from '../../catalog/schema.ts';
import type { DiskLayout } from '../../disk/layout.ts';
import { fstab } from './fstab.ts';
import { firstBootFiles } from './first-boot.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import type { BaseOptions } from '../family.ts';

const file = (path: string, content: string, mode = '0644'): RootFile => ({ path, content, mode });

/**
 * Storage that an image may meet: virtio (KVM), NVMe, Xen, VMware, Hyper-V. Naming them makes an initramfs half the
 * size and a third of the time of `MODULES=most`, without tying it to the build host as `dep` would. A hook puts them
 * in and udev loads what the machine has; /etc/initramfs-tools/modules would load each of them at every boot.
 */
const INITRAMFS_MODULES = ['virtio_pci', 'virtio_blk', 'virtio_scsi', 'nvme', 'sd_mod', 'sr_mod', 'xen_blkfront', 'vmw_pvscsi', 'hv_storvsc', 'crc32c'];

/**
 * Kernel arguments of every image. Huge pages where a program asks for them: with Debian's `always`, each small program
 * of a small machine has megabytes cleared for it. Consoles get warnings and systemd's lines; the journal has the rest.
 * Both consoles, the serial one last, so that it is /dev/console.
 */
export const KERNEL_ARGUMENTS = ['transparent_hugepage=madvise', 'loglevel=5', 'console=tty0', 'console=ttyS0,115200n8'];

/** Services of packages that are being installed must not start: policy-rc.d, Debian policy 9.3.3.1. */
export const POLICY_NO_START = file('/usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', '0755');

/** What must be in place before the packages are configured. */
export function filesBefore(options: BaseOptions, disk: DiskLayout): RootFile[] {
  return [
    POLICY_NO_START,
    ...(options.kernel === 'cloud'
      ? [
          file('/etc/initramfs-tools/conf.d/ingot', 'MODULES=list\n'),
          file(
            '/etc/initramfs-tools/hooks/ingot',
            initramfsHook([...INITRAMFS_MODULES, options.filesystem, ...(disk.lvm === undefined ? [] : ['dm_mod'])]),
            '0755',
          ),
        ]
      : []),
    ...(disk.lvm === undefined ? [] : [file('/etc/initramfs-tools/scripts/local-block/ingot-lvm', initramfsLvm(disk.lvm.group), '0755')]),
  ];
}

/** Not every release's udev rules activate volume groups in the initramfs; these scripts run while the root is waited for. */
function initramfsLvm(group: string): string {
  return `#!/bin/sh
if [ "$1" = prereqs ]; then exit 0; fi
lvm vgchange --activate ay --sysinit ${group} >/dev/null 2>&1 || true
`;
}

function initramfsHook(modules: readonly string[]): string {
  return `#!/bin/sh
# The file system of the root, and the storage of every hypervisor that this image is for.
if [ "$1" = prereqs ]; then exit 0; fi
. /usr/share/initramfs-tools/hook-functions
manual_add_modules ${modules.join(' ')}
`;
}

/** The image's configuration, written after the packages' own. */
export function configurationFiles(release: Release, disk: DiskLayout): RootFile[] {
  return [
    file('/etc/fstab', fstab(disk)),
    file('/etc/hosts', '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n'),
    file('/etc/hostname', 'localhost\n'),
    file('/etc/default/locale', 'LANG=C.UTF-8\n'),
    file('/etc/default/grub', grubDefaults()),
    file('/etc/apt/sources.list', ''),
    file('/etc/apt/sources.list.d/debian.sources', aptSources(release)),
    file('/etc/cloud/cloud.cfg.d/50_ingot.cfg', cloudConfig(disk)),
    file('/etc/cloud/ds-identify.cfg', 'policy: search,found=all,maybe=all,notfound=enabled\n'),
    // Both start when the base system is up. Whoever waits for the machine waits for SSH, so that goes first.
    file('/etc/systemd/system/cloud-config.service.d/50-ingot.conf', '[Unit]\nAfter=ssh.service\n'),
    // It has nothing to ask before the network is there, and would take the processor from cloud-init until then.
    file('/etc/systemd/system/systemd-timesyncd.service.d/50-ingot.conf', '[Unit]\nAfter=cloud-init-local.service\n'),
    file('/etc/ssh/sshd_config.d/50-ingot.conf', 'PasswordAuthentication no\nKbdInteractiveAuthentication no\n'),
    ...firstBootFiles(disk),
  ];
}

function grubDefaults(): string {
  return [
    'GRUB_DEFAULT=0',
    'GRUB_TIMEOUT=0',
    'GRUB_RECORDFAIL_TIMEOUT=0',
    'GRUB_DISTRIBUTOR=Debian',
    'GRUB_CMDLINE_LINUX_DEFAULT=""',
    `GRUB_CMDLINE_LINUX="${KERNEL_ARGUMENTS.join(' ')}"`,
    'GRUB_TERMINAL="console serial"',
    'GRUB_SERIAL_COMMAND="serial --speed=115200"',
    'GRUB_DISABLE_OS_PROBER=true',
    '',
  ].join('\n');
}

function aptSources(release: Release): string {
  const archive = archiveOf(release);
  const entry = (uri: string, suites: readonly string[]): string =>
    [
      `Types: deb`,
      `URIs: ${uri}`,
      `Suites: ${suites.join(' ')}`,
      `Components: ${archive.components.join(' ')}`,
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
      '',
    ].join('\n');
  return [
    entry(archive.mirrors.archive, archive.suites),
    ...(archive.securitySuite === undefined ? [] : [entry(archive.mirrors.security, [archive.securitySuite])]),
  ].join('\n');
}

/**
 * Data sources in the order in which the platforms offer them: NoCloud (lab, Proxmox VE), ConfigDrive and CloudStack.
 * RSA host keys are left out: they take seconds to make on an emulated processor, and no client of today needs them.
 * Passwords are refused by sshd's own configuration: `ssh_pwauth` here would restart sshd under those who are logged in.
 * grub-pc, which `grub_dpkg` tells where it is installed, is not in the image. A root on a logical volume is grown by a unit of
 * its own, since growpart knows partitions alone.
 */
const cloudConfig = (disk: DiskLayout): string => `datasource_list: [NoCloud, ConfigDrive, CloudStack, None]
apt:
  preserve_sources_list: true
ssh_genkeytypes: [ed25519, ecdsa]
grub_dpkg:
  enabled: false
disable_root: true
growpart:
  mode: ${disk.lvm === undefined ? 'auto' : "'off'"}
  devices: ['/']
resize_rootfs: ${disk.lvm === undefined}
`;

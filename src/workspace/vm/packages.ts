/** The catalog's release that the helper VM is made of. */
export const HELPER_RELEASE = 'debian-12';

/** What the helper VM is made of, besides the essential packages. `arch` is Debian's. Nothing in them is run while it is made. */
export function helperPackages(arch: string): string[] {
  return [
    `linux-image-cloud-${arch}`,
    'busybox-static',
    // The helper runs with Debian's own Node: the one that runs ingot may be built for another system.
    'nodejs',
    'bubblewrap',
    'mount',
    'fdisk',
    'e2fsprogs',
    'xfsprogs',
    'btrfs-progs',
    'dosfstools',
    'mtools',
    'lvm2',
    'zstd',
    'xz-utils',
  ];
}

/** Kernel modules that the helper VM loads, with what they depend on: the machine's devices, the file systems of images, loop, LVM, network. */
export const HELPER_MODULES = [
  'virtio_pci',
  'virtio_mmio',
  'virtio_blk',
  'virtio_console',
  'virtio_rng',
  'virtio_net',
  'virtio_scsi',
  'sd_mod',
  'ext4',
  'xfs',
  'btrfs',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'nls_iso8859-1',
  'loop',
  'dm_mod',
];

/** What of the packages the helper VM does not need, as patterns of tar for members. */
export const HELPER_EXCLUDED = ['doc', 'doc-base', 'man', 'info', 'locale', 'i18n', 'lintian', 'bash-completion', 'bug', 'zoneinfo', 'initramfs-tools'].map(
  (name) => `./usr/share/${name}/*`,
);

/*
 * What is different in the images of some releases, and would surprise who takes them for granted. A word of this list is data that code acts on, and
 * what it means is shown by `ingot catalog distro`.
 */

export const TRAPS = {
  'root-first': 'The root partition is the first by number and the last on the disk, so that it can grow; boot partitions have the numbers 14 to 16',
  'root-last': 'The root partition comes after boot partitions',
  'separate-boot': '/boot is a partition of its own: the kernel is not on the root file system',
  'no-partition-table': 'The disk is one file system, without a partition table',
  'sibling-uuid': 'Images of one build have the same file system UUID: XFS is mounted with nouuid where a sibling may be mounted',
  'btrfs-subvolumes': 'The root is a subvolume of btrfs, and parts of the tree are others: mounting the file system alone does not show the whole system',
  'newer-btrfs': 'Made by a newer btrfs than older kernels can write: the disk is opened in the helper VM',
  lvm: 'The root file system is a logical volume',
  'no-agent': 'The QEMU guest agent is not in the image',
  'no-cloud-init': 'There is no cloud-init: what a machine is told at its first boot is not read',
  ignition: 'The first boot is configured by Ignition, not by cloud-init',
  'own-cloud-init': 'A program of its own reads part of what cloud-init reads',
  'fixed-datasource': 'cloud-init is set to look for some data sources only, so that a seed of another kind is not read',
  'no-ahci': 'The kernel has no driver for SATA: a CD drive, and a seed on it, is only seen on virtio-scsi',
  'selinux-enforcing': 'SELinux is enforcing: files which a build writes need their labels',
  'bls-entries': 'The boot menu has one file per kernel (Boot Loader Specification): arguments are set by grubby, not by a new grub.cfg',
  immutable: 'The root file system is read-only, and updated as a whole: packages are not installed into it',
  'network-ifupdown': 'The network is configured by ifupdown',
  'archived-repositories': 'The package repositories have moved to an archive: the addresses in the image no longer answer',
  'dated-removed': 'Dated images are removed from the mirror after some months: keep what was downloaded',
  'replaced-in-place': 'The image is replaced under the same name: the checksum of a download that began before does not fit after',
  'nvram-less-uefi': 'UEFI finds the boot loader by its fallback path alone',
  'root-login': 'There is no user besides root',
  'musl-libc': 'The C library is musl: programs that were made for glibc do not run',
  'small-root': 'The file system is nearly full: it has to be grown before packages are installed',
  'no-sudo': 'sudo is not in the image',
  'kernel-not-in-tree': 'There is no kernel in the image: one has to be installed before it can boot',
} as const;

export type Trap = keyof typeof TRAPS;

/** Every trap, in the order in which they are shown. */
export const TRAP_NAMES = Object.keys(TRAPS).filter((name): name is Trap => Object.hasOwn(TRAPS, name));

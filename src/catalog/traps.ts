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
  'newer-btrfs': 'Made by a newer btrfs than older kernels can write: the disk is opened in the helper VM, and /boot is in a subvolume too',
  lvm: 'The root file system is a logical volume',
  'no-agent': 'The QEMU guest agent is not in the image',
  'no-cloud-init': 'There is no cloud-init: what a machine is told at its first boot is not read',
  'fixed-datasource': 'cloud-init is set to look for some data sources only, so that a seed of another kind is not read',
  'no-ahci': 'The kernel has no driver for SATA: a CD drive, and a seed on it, is only seen on virtio-scsi',
  'selinux-enforcing': 'SELinux is enforcing: files which a build writes need their labels',
  'bls-entries': 'The boot menu has one file per kernel (Boot Loader Specification): arguments are set by grubby, not by a new grub.cfg',
  immutable: 'The root file system is read-only, and updated as a whole: packages are not installed into it',
  'network-ifupdown': 'The network is configured by ifupdown',
  'archived-repositories': 'The package repositories have moved to an archive: the addresses in the image no longer answer',
  'dated-removed': 'Dated images are removed from the mirror after some months: keep what was downloaded',
  'replaced-in-place': 'The image is replaced under the same name: the checksum of a download that began before does not fit after',
  'root-login': 'There is no user besides root',
  'musl-libc': 'The C library is musl: programs that were made for glibc do not run',
  'public-password': 'Everybody knows the password of root or of the default user: it is locked while the image is built',
  'no-sudo': 'sudo is not in the image',
  'small-kernel': 'The kernel is a small one, without the drivers of 9p, virtiofs and NVMe: kernel-default has them',
  'firstboot-wizard': 'Without a seed for cloud-init a wizard asks its questions at the console of the first boot',
  'no-keyring': "pacman's keyring is made at the first boot: packages are only verified, so installed, once it is there",
  'network-unmanaged': 'cloud-init is told to leave the network alone',
} as const;

export type Trap = keyof typeof TRAPS;

/** Every trap, in the order in which they are shown. */
export const TRAP_NAMES = Object.keys(TRAPS).filter((name): name is Trap => Object.hasOwn(TRAPS, name));

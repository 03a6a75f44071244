import type { DiskLayout, Filesystem } from '../../disk/layout.ts';

/** Only ext4 has a check that does something: the root's first, then the others'. */
function line(uuid: string, mount: string, filesystem: Filesystem): string {
  const options = filesystem === 'ext4' && mount === '/' ? 'defaults,errors=remount-ro' : 'defaults';
  return `UUID=${uuid} ${mount} ${filesystem} ${options} 0 ${filesystem !== 'ext4' ? 0 : mount === '/' ? 1 : 2}`;
}

/** /etc/fstab: the root, the partitions with outer mounts first, and the EFI system partition; all by UUID. */
export function fstab(disk: DiskLayout): string {
  const serial = `${disk.efiSerial.slice(0, 4)}-${disk.efiSerial.slice(4)}`;
  return [
    line(disk.filesystemUuid, '/', disk.filesystem),
    ...(disk.mounts ?? []).map(({ filesystemUuid, mount, filesystem }) => line(filesystemUuid, mount, filesystem)),
    // The EFI system partition is needed by boot loader updates only, so it is mounted when somebody looks at it.
    ...(disk.efi === undefined ? [] : [`UUID=${serial} /boot/efi vfat umask=0077,noauto,x-systemd.automount,x-systemd.idle-timeout=60 0 0`]),
    '',
  ].join('\n');
}

import type { DiskLayout } from '../../disk/layout.ts';
import { fstabLine } from '../common/fstab.ts';

/** /etc/fstab: the root, the partitions with outer mounts first, and the EFI system partition; all by UUID. */
export function fstab(disk: DiskLayout): string {
  const serial = `${disk.efiSerial.slice(0, 4)}-${disk.efiSerial.slice(4)}`;
  return [
    fstabLine(disk.filesystemUuid, '/', disk.filesystem),
    ...(disk.mounts ?? []).map(({ filesystemUuid, mount, filesystem }) => fstabLine(filesystemUuid, mount, filesystem)),
    // The EFI system partition is needed by boot loader updates only, so it is mounted when somebody looks at it.
    ...(disk.efi === undefined ? [] : [`UUID=${serial} /boot/efi vfat umask=0077,noauto,x-systemd.automount,x-systemd.idle-timeout=60 0 0`]),
    '',
  ].join('\n');
}

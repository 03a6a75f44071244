import type { Filesystem } from '../../disk/layout.ts';

/** A line of /etc/fstab for a file system by its UUID. Only ext4 has a check that does something: the root's first, then the others'. */
export function fstabLine(uuid: string, mount: string, filesystem: Filesystem): string {
  const options = filesystem === 'ext4' && mount === '/' ? 'defaults,errors=remount-ro' : 'defaults';
  return `UUID=${uuid} ${mount} ${filesystem} ${options} 0 ${filesystem !== 'ext4' ? 0 : mount === '/' ? 1 : 2}`;
}

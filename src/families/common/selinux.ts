import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import { NOTHING, type Changes } from '../changes.ts';
import { shell } from './shell.ts';

export type SelinuxMode = 'enforcing' | 'permissive' | 'disabled';

const MODE = String.raw`
if [ ! -f /etc/selinux/config ]; then
  echo 'There is no SELinux policy in the image.' >&2
  exit 1
fi
sed -i '/^SELINUX=/d' /etc/selinux/config
printf 'SELINUX=%s\n' "$1" >>/etc/selinux/config
`;

/** The mode in which machines start. Since kernel 6.4 only its argument switches SELinux off; the file then says what holds. */
export function selinuxChanges(mode: SelinuxMode | undefined, packages: readonly string[]): Changes {
  if (mode === undefined) return NOTHING;
  return {
    ...NOTHING,
    packages: mode === 'disabled' ? [] : packages,
    commands: [shell(`SELinux ${mode}`, MODE, mode)],
    kernelArguments: mode === 'disabled' ? ['selinux=0'] : [],
  };
}

/**
 * Labels of all files as the image's own policy wants them (setfiles(8)). Not every kernel lets a step write labels: where it cannot,
 * the first boot does (selinux-autorelabel), and starts again.
 */
const LABELS = String.raw`
setting() { sed -n "s/^$1=//p" /etc/selinux/config 2>/dev/null | tail -n 1; }
contexts=/etc/selinux/$(setting SELINUXTYPE)/contexts/files/file_contexts
if [ ! -f "$contexts" ] || [ "$(setting SELINUX)" = disabled ]; then exit 0; fi
if command -v setfiles >/dev/null && setfiles -F -e /dev -e /proc -e /sys -e /run -e /tmp "$contexts" / 2>/tmp/setfiles; then
  rm -f /.autorelabel
else
  : >/.autorelabel
  echo 'SELinux labels are written by the first boot.'
fi
`;

export function labels(): GuestCommand[] {
  return [shell('SELinux labels', LABELS)];
}

import type { GateCheck } from '../check.ts';

/*
 * Names that hold on every machine: identifiers, labels, and names of device mapper and volume groups, which are below folders of /dev. Names such as /dev/sda1 come
 * from the order in which a machine finds its disks.
 */
export const fstab: GateCheck = {
  name: 'fstab',
  holds: 'fstab and the boot loader name the root file system of this disk, in a way that holds on every machine.',
  where: 'disk',
  script: `
judge() {
  case "$2" in
    UUID=*) [ "\${2#UUID=}" = "$INGOT_ROOT_UUID" ] || echo "$1 says $2, the root file system is $INGOT_ROOT_UUID" ;;
    LABEL=* | PARTUUID=* | PARTLABEL=* | /dev/*/*) ;;
    *) echo "$1 names the root as $2, which another machine may call something else" ;;
  esac
}
configured=
named=
root=$(awk '$1 !~ /^#/ && $2 == "/" { print $1 }' /etc/fstab)
if [ -n "$root" ]; then judge /etc/fstab "$root"; else echo "/etc/fstab names no root"; fi
for file in /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/grub2/grubenv /boot/loader/entries/*.conf /boot/extlinux.conf /boot/extlinux/extlinux.conf; do
  [ -f "$file" ] || continue
  configured=yes
  for name in $(grep -oE '\\broot=(UUID=|LABEL=|PARTUUID=|PARTLABEL=|/dev/)[^[:space:]"]*' "$file" | sort -u); do
    named=yes
    judge "$file" "\${name#root=}"
  done
done
[ -z "$configured" ] || [ -n "$named" ] || echo "nothing below /boot tells the kernel where its root is"
`,
};

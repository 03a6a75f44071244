import type { GateCheck } from '../check.ts';

export const fstab: GateCheck = {
  name: 'fstab',
  holds: 'The root in fstab is the root file system of this disk.',
  where: 'disk',
  script: `
root=$(awk '$1 !~ /^#/ && $2 == "/" { print $1 }' /etc/fstab)
case "$root" in
  UUID=*) [ "\${root#UUID=}" = "$INGOT_ROOT_UUID" ] || echo "/etc/fstab says $root, the root file system is $INGOT_ROOT_UUID" ;;
  LABEL=* | PARTUUID=* | PARTLABEL=*) ;;
  '') echo "/etc/fstab names no root" ;;
  *) echo "/etc/fstab names the root as $root, which another machine may call something else" ;;
esac
grep -q "root=UUID=$INGOT_ROOT_UUID" /boot/grub/grub.cfg 2>/dev/null || echo "/boot/grub/grub.cfg does not start the root $INGOT_ROOT_UUID"
`,
};

import type { GateCheck } from '../check.ts';

export const bootDevices: GateCheck = {
  name: 'boot-devices',
  holds: 'Boot loader configuration and fstab name no device of the build host.',
  where: 'disk',
  script: `
for file in /boot/grub/grub.cfg /boot/grub2/grub.cfg /boot/grub/grubenv /boot/loader/entries/*.conf /etc/fstab /etc/default/grub; do
  [ -e "$file" ] && grep -nE '/dev/(loop|nbd|mapper/loop|dm-)' "$file" | sed "s|^|$file:|"
done
`,
};

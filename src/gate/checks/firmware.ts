import type { GateCheck } from '../check.ts';

export const firmware: GateCheck = {
  name: 'firmware',
  holds: 'The guest was started by the firmware that was meant: a fall-back from UEFI to BIOS is silent.',
  where: 'guest',
  script: `
if [ -d /sys/firmware/efi ]; then found=uefi; else found=bios; fi
[ "$found" = "$INGOT_FIRMWARE" ] || echo "started by $found, not by $INGOT_FIRMWARE"
`,
};

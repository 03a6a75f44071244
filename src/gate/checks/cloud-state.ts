import type { GateCheck } from '../check.ts';

export const cloudState: GateCheck = {
  name: 'cloud-state',
  holds: 'cloud-init has never run in the image.',
  where: 'disk',
  script: `[ -d /var/lib/cloud ] && find /var/lib/cloud -mindepth 1 -maxdepth 1 | sed 's/$/ is left/'`,
};

import type { GateCheck } from '../check.ts';

export const logs: GateCheck = {
  name: 'logs',
  holds: 'No log of the build is left.',
  where: 'disk',
  script: `find /var/log -type f -size +0 | sed 's/$/ is left/'`,
};

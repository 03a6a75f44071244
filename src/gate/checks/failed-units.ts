import type { GateCheck } from '../check.ts';

export const failedUnits: GateCheck = {
  name: 'failed-units',
  holds: 'No systemd unit failed.',
  where: 'guest',
  script: `systemctl list-units --state=failed --plain --no-legend | awk '{ print $1 " failed" }'`,
};

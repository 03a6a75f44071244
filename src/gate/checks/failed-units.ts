import type { GateCheck } from '../check.ts';
import { FAILED_SERVICES } from '../failed-services.ts';

export const failedUnits: GateCheck = {
  name: 'failed-units',
  holds: 'No unit of systemd, or service of OpenRC, failed.',
  where: 'guest',
  script: `(${FAILED_SERVICES}) | sed 's/$/ failed/'`,
};

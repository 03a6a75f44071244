import type { GateCheck } from '../check.ts';

export const packageLists: GateCheck = {
  name: 'package-lists',
  holds: 'No package lists or downloaded packages are left.',
  where: 'disk',
  script: `find /var/lib/apt/lists /var/cache/apt -type f ! -name lock 2>/dev/null | sed 's/$/ is left/'`,
};

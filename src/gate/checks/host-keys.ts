import type { GateCheck } from '../check.ts';

export const hostKeys: GateCheck = {
  name: 'host-keys',
  holds: 'No SSH host key is left: whoever has the image could pose as any of its clones.',
  where: 'disk',
  script: `for file in /etc/ssh/ssh_host_*; do [ -e "$file" ] && echo "$file is left"; done`,
};

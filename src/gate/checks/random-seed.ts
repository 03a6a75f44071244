import type { GateCheck } from '../check.ts';

export const randomSeed: GateCheck = {
  name: 'random-seed',
  holds: 'No random seed or host credential is left.',
  where: 'disk',
  script: `for file in /var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/systemd/credential.secret /loader/random-seed; do [ -e "$file" ] && echo "$file is left"; done`,
};

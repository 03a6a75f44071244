import type { GateCheck } from '../check.ts';

export const accounts: GateCheck = {
  name: 'accounts',
  holds: 'No account has a password, none can log in without one, and no key is installed.',
  where: 'disk',
  script: `
while IFS=: read -r user hash rest; do
  case "$hash" in
    '') echo "$user can log in without a password" ;;
    '!'* | '*'*) ;;
    *) echo "$user has a password" ;;
  esac
done </etc/shadow
for file in /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys; do [ -s "$file" ] && echo "$file is left"; done
`,
};

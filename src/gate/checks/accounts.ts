import type { GateCheck } from '../check.ts';

export const accounts: GateCheck = {
  name: 'accounts',
  holds: 'No account can log in without a password; none has a password or SSH keys but those that the template gave them to.',
  where: 'disk',
  script: `
while IFS=: read -r user hash rest; do
  case "$hash" in
    '') echo "$user can log in without a password" ;;
    '!'* | '*'*) ;;
    *) case " $INGOT_PASSWORDS " in *" $user "*) ;; *) echo "$user has a password" ;; esac ;;
  esac
done </etc/shadow
while IFS=: read -r user password uid gid comment home shell; do
  case " $INGOT_KEYS " in *" $user "*) continue ;; esac
  if [ -s "$home/.ssh/authorized_keys" ]; then echo "$home/.ssh/authorized_keys is left"; fi
done </etc/passwd
`,
};

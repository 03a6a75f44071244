import type { GateCheck } from '../check.ts';

export const identity: GateCheck = {
  name: 'identity',
  holds: 'The guest took its hostname and key from the seed, and made its own machine-id and host keys.',
  where: 'guest',
  script: `
[ "$(hostname)" = "$INGOT_HOSTNAME" ] || echo "the hostname is $(hostname), the seed said $INGOT_HOSTNAME"
[ ! -d /run/systemd/system ] || grep -qE '^[0-9a-f]{32}$' /etc/machine-id || echo "the machine-id is not set"
ls /etc/ssh/ssh_host_*_key >/dev/null 2>&1 || echo "there is no SSH host key"
boot=$(awk '$1 == "btime" { print $2 }' /proc/stat)
for file in /etc/ssh/ssh_host_*_key; do
  [ "$(stat -c %Y "$file")" -ge "$((boot - 60))" ] || echo "$file is older than this boot"
done
`,
};

import type { GateCheck } from '../check.ts';

export const machineId: GateCheck = {
  name: 'machine-id',
  holds: 'No machine-id is left: clones of one image must not share it.',
  where: 'disk',
  script: `
for file in /etc/machine-id /var/lib/dbus/machine-id; do
  if [ -s "$file" ] && [ "$(cat "$file")" != uninitialized ]; then echo "$file holds $(cat "$file")"; fi
done
# Without it systemd takes the system for one that cannot be written; dbus alone makes one where there is none, and takes an empty one for damage.
[ -e /etc/machine-id ] || [ ! -d /usr/lib/systemd/system ] || echo "/etc/machine-id is missing; it must exist and be empty"
`,
};

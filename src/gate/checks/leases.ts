import type { GateCheck } from '../check.ts';

export const leases: GateCheck = {
  name: 'leases',
  holds: 'No network lease or connection profile of the build is left.',
  where: 'disk',
  script: `
for folder in /var/lib/dhcp /var/lib/dhclient /var/lib/dhcpcd /var/lib/NetworkManager /var/lib/systemd/network; do
  [ -d "$folder" ] && find "$folder" -type f -size +0 | sed 's/$/ is left/'
done
for file in /etc/netplan/50-cloud-init.yaml /etc/udev/rules.d/70-persistent-*; do [ -e "$file" ] && echo "$file is left"; done
`,
};

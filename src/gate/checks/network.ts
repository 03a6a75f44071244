import type { GateCheck } from '../check.ts';

export const network: GateCheck = {
  name: 'network',
  holds: 'The guest has an address, a default route and a name server that answers.',
  where: 'guest',
  script: `
ip -4 -o address show scope global | grep -q inet || echo "there is no IPv4 address"
ip -4 route show default | grep -q default || echo "there is no default route"
[ -e /etc/resolv.conf ] || echo "/etc/resolv.conf is missing or leads nowhere"
grep -q '^nameserver' /etc/resolv.conf || echo "/etc/resolv.conf names no server"
getent ahosts localhost >/dev/null || echo "names do not resolve"
`,
};

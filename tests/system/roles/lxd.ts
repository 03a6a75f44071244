import type { RoleCase } from './case.ts';

/** Answers as the client of Incus does, as far as the role asks it: that its units, preseed and checks fit together, and nothing about containers. */
const CLIENT = String.raw`#!/bin/sh
set -eu
state=/var/lib/incus
case "$*" in
  'admin waitready'*) test -e $state ;;
  'admin init --preseed')
    cat > $state/preseed
    bridge=$(awk '/^networks:/ { on = 1 } on && $2 == "name:" { gsub("\"", "", $3); print $3; exit }' $state/preseed)
    ip link add "$bridge" type bridge
    ip address add "$(awk '$1 == "ipv4.address:" { gsub("\"", "", $2); print $2 }' $state/preseed)" dev "$bridge"
    ;;
  'image import '*) tar -tf "$3" | grep -qx metadata.yaml ;;
  'launch '*) echo Launching ;;
  'info '*) echo 'Status: RUNNING' ;;
  'exec '*) printf '0 1000000 1000000000\neth0: 0\n' ;;
  'stop '* | 'delete '* | 'image delete '*) ;;
  *) echo "not asked for: $*" >&2; exit 1 ;;
esac
`;

const SERVICE = `[Unit]
Description=Stand-in for Incus
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/mkdir -p /var/lib/incus
[Install]
WantedBy=multi-user.target
`;

export const cases: readonly RoleCase[] = [
  { role: 'lxd' },
  { role: 'lxd', variant: 'lxd', parameters: { flavour: 'lxd' }, releases: ['debian-13'] },
  {
    role: 'lxd',
    variant: 'behind the firewall of hardened',
    with: ['hardened'],
    parameters: { bridge: 'br-guests', subnet: '10.60.0.1/16' },
    releases: ['debian-13'],
    template: { tests: [{ name: 'its bridge is trusted', command: 'nft get element inet filter trusted_interfaces \'{ "br-guests" }\'' }] },
  },
  {
    role: 'lxd',
    variant: 'upstream',
    parameters: { source: 'upstream' },
    standIn: {
      repositories: [
        {
          name: 'zabbly',
          suites: ['bookworm', 'trixie'],
          packages: [
            {
              name: 'incus-base',
              version: '1:7.3-0',
              files: { '/lib/systemd/system/incus.service': SERVICE },
              postinst: '#!/bin/sh\nset -e\nsystemctl enable incus.service\n',
            },
            { name: 'incus-client', version: '1:7.3-0', files: { '/usr/bin/incus': { content: CLIENT, mode: '0755' } } },
          ],
        },
      ],
    },
  },
];

import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from './shell.ts';

const FILE = '/etc/chrony.d/50-ingot.conf';

/** The servers that the packages brought go; those of DHCP stay. Not every distribution's file includes the folder. */
const ONLY_OURS = String.raw`
for file in /etc/chrony.conf /etc/chrony.d/*.conf; do
  if [ -f "$file" ] && [ "$file" != "$1" ]; then sed -i -E 's/^[[:space:]]*(pool|server|peer)[[:space:]]/#&/' "$file"; fi
done
if ! grep -qE '^[[:space:]]*(include|confdir)[[:space:]]+/etc/chrony\.d' /etc/chrony.conf; then echo 'include /etc/chrony.d/*.conf' >>/etc/chrony.conf; fi
systemctl enable --quiet chronyd.service
`;

/** Time servers, by chrony (chrony.conf(5)). */
export function chronyChanges(servers: readonly string[]): Changes {
  if (servers.length === 0) return NOTHING;
  return {
    ...NOTHING,
    packages: ['chrony'],
    files: [rootFile(FILE, servers.map((server) => `server ${server} iburst\n`).join(''))],
    commands: [shell('time servers', ONLY_OURS, FILE)],
  };
}

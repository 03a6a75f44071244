import type { Release } from '../../catalog/schema.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import type { Traits } from '../family.ts';
import { shell } from './shell.ts';

/** What a machine is spoken to by its host with, and what it hears at its first boot with what it is to be: names of their packages in every family. */
const AGENT = 'qemu-guest-agent';
const CLOUD_INIT = 'cloud-init';
/** Services of cloud-init; which of them there are depends on its version. */
const CLOUD_INIT_SERVICES = ['cloud-init-main', 'cloud-init-local', 'cloud-init-network', 'cloud-init', 'cloud-config', 'cloud-final'];

/** Not every family's packages switch on what they bring. */
const SYSTEMD = String.raw`
for name; do
  if [ -e "/usr/lib/systemd/system/$name.service" ] || [ -e "/lib/systemd/system/$name.service" ]; then systemctl enable "$name.service"; fi
done
`;
const OPENRC = String.raw`
for name; do
  if [ -x "/etc/init.d/$name" ]; then rc-update --quiet add "$name" default; fi
done
if command -v setup-cloud-init >/dev/null; then setup-cloud-init; fi
`;

/** What a cloud image lacks of that, given the names of its packages. */
export function missingAgents({ traps }: Pick<Release, 'traps'>, { init }: Pick<Traits, 'init'>, has: ReadonlySet<string>): Changes {
  const packages = [AGENT, CLOUD_INIT, ...(traps.includes('no-sudo') ? ['sudo'] : [])].filter((name) => !has.has(name));
  const services = [...(packages.includes(AGENT) ? [AGENT] : []), ...(packages.includes(CLOUD_INIT) ? CLOUD_INIT_SERVICES : [])];
  if (packages.length === 0) return NOTHING;
  return { ...NOTHING, packages, commands: services.length === 0 ? [] : [shell('agents', init === 'systemd' ? SYSTEMD : OPENRC, ...services)] };
}

/** What every image looks for at its first boot: the platforms that images are published to, the lab, and the clouds that most are made for. */
const DATASOURCES = rootFile('/etc/cloud/cloud.cfg.d/91-ingot-datasources.cfg', 'datasource_list: [NoCloud, ConfigDrive, CloudStack, OpenStack, Ec2, None]\n');

/** Everybody knows the password: `*` lets nobody in by one, and leaves keys alone. */
const LOCK = String.raw`
for name; do sed -i -E "s/^($name):[^:]*:/\1:*:/" /etc/shadow; done
`;
/** What tells cloud-init to leave the network alone; what a platform says of it would not be read. */
const MANAGE = String.raw`
grep -lE '^[^#]*config: *disabled' /etc/cloud/cloud.cfg.d/*.cfg 2>/dev/null | xargs -r rm -f
`;

/** Undoes what the maker of a cloud image has set for one cloud, or for trying it out. */
export function withoutTraps({ traps, defaultUser }: Pick<Release, 'traps' | 'defaultUser'>): Changes {
  return {
    ...NOTHING,
    files: traps.includes('fixed-datasource') ? [DATASOURCES] : [],
    commands: [
      ...(traps.includes('public-password') ? [shell('public passwords', LOCK, ...new Set(['root', defaultUser]))] : []),
      ...(traps.includes('network-unmanaged') ? [shell('network', MANAGE)] : []),
    ],
  };
}

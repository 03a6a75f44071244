import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { APT, LISTS } from './install.ts';

const TIMERS = ['apt-daily.timer', 'apt-daily-upgrade.timer'] as const;

/** What unattended-upgrades may install; the variables are its own (/etc/apt/apt.conf.d/50unattended-upgrades says which there are). */
const ORIGINS = {
  security: ['origin=Debian,codename=${distro_codename},label=Debian-Security', 'origin=Debian,codename=${distro_codename}-security,label=Debian-Security'],
  all: ['origin=*'],
} as const;

/** Updates that a machine installs by itself. */
export function automaticUpdates({ 'automatic-updates': wanted }: ResolvedSystem): Changes {
  if (wanted === undefined) return NOTHING;
  const path = '/etc/apt/apt.conf.d/60ingot-automatic-updates';
  const switches = (value: 0 | 1): string => `APT::Periodic::Update-Package-Lists "${value}";\nAPT::Periodic::Unattended-Upgrade "${value}";\n`;
  if (wanted === 'none') {
    return { ...NOTHING, files: [rootFile(path, switches(0))], commands: [{ label: 'no automatic updates', argv: ['systemctl', 'disable', ...TIMERS] }] };
  }
  const origins = ORIGINS[wanted].map((origin) => `  "${origin}";\n`).join('');
  const clear = '#clear Unattended-Upgrade::Allowed-Origins;\n#clear Unattended-Upgrade::Origins-Pattern;\n';
  return {
    ...NOTHING,
    packages: ['unattended-upgrades'],
    files: [rootFile(path, `${switches(1)}${clear}Unattended-Upgrade::Origins-Pattern {\n${origins}};\n`)],
    commands: [{ label: 'automatic updates', argv: ['systemctl', 'enable', ...TIMERS, 'unattended-upgrades.service'] }],
  };
}

/** apt knows suites, not advisories: what the security suite has newer than what is installed, its versions and what they depend on. */
const SECURITY = String.raw`
names=$(apt-get --simulate --quiet upgrade | awk '/^Inst / && /-[Ss]ecurity/ { print $2 }')
[ -z "$names" ] || apt-get --yes --quiet --no-install-recommends -o Dpkg::Options::=--force-confold --only-upgrade install $names
`;

export function update(which: 'all' | 'security'): GuestCommand[] {
  return [LISTS, which === 'all' ? { label: 'update', argv: [...APT, '--with-new-pkgs', 'upgrade'] } : shell('security updates', SECURITY)];
}

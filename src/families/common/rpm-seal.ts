import type { Seal } from '../recipe.ts';

/** What no golden image holds, wherever rpm and systemd are: identities of the machine, backups, caches, and what a boot made. */
const COMMON = [
  'etc/.pwd.lock',
  'etc/passwd-',
  'etc/group-',
  'etc/shadow-',
  'etc/gshadow-',
  'etc/subuid-',
  'etc/subgid-',
  'etc/ssh/ssh_host_*',
  'etc/udev/rules.d/70-persistent-*',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/dhclient/*',
  'var/lib/dhcp/*',
  'var/lib/NetworkManager/*',
  'var/lib/cloud/*',
  'etc/rpm/macros.ingot-workspace',
  // The database itself stays; what programs that are gone kept beside it does not.
  'var/lib/rpm/__db.*',
  'var/lib/rpm/.rpm.lock',
  'var/lib/rpmold.*',
  'var/lib/rpmrebuilddb.*',
  'usr/lib/sysimage/rpm/__db.*',
  'usr/lib/sysimage/rpm/.rpm.lock',
  'usr/lib/sysimage/rpmrebuilddb.*',
  'var/cache/ldconfig/*',
  'var/cache/man/*',
  'var/tmp/*',
  'root/.bash_history',
  'root/anaconda-ks.cfg',
  'root/original-ks.cfg',
];

const AFTER_BOOT = [
  'etc/.updated',
  'var/.updated',
  'etc/adjtime',
  'etc/NetworkManager/system-connections/cloud-init-*',
  'etc/systemd/network/10-cloud-init-*',
  'etc/cloud/cloud-init.disabled',
  'var/lib/cloud',
  'var/log/private',
  'tmp/*',
  'tmp/.[!.]*',
  'var/lib/systemd/timers',
  'var/lib/systemd/timesync',
  'var/lib/systemd/linger',
  'var/lib/systemd/rfkill/*',
  'var/lib/systemd/backlight/*',
  'var/lib/systemd/coredump/*',
  'var/lib/systemd/network/*',
  'var/lib/private/systemd/*',
  'var/lib/chrony/*',
  'var/lib/logrotate/*',
  'root/.cache',
  'root/.lesshst',
  'root/.python_history',
  'root/.wget-hsts',
];

/** The seal of a family that uses rpm: what all of them take away, and what is its own. Folders below /var/log stay, since packages make them once. */
export function rpmSeal(own: readonly string[], ownAfterBoot: readonly string[] = []): { readonly layer: Seal; readonly booted: Seal } {
  const layer: Seal = { remove: [...COMMON, ...own], emptyFolders: ['var/log'], truncate: ['etc/machine-id'] };
  return { layer, booted: { ...layer, remove: [...layer.remove, ...AFTER_BOOT, ...ownAfterBoot] } };
}

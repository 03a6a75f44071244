import type { Family } from '../family.ts';
import type { Seal } from '../recipe.ts';
import { keyringAtFirstBoot } from './keyring.ts';

const REMOVE: readonly string[] = [
  'etc/.pwd.lock',
  'etc/passwd-',
  'etc/group-',
  'etc/shadow-',
  'etc/gshadow-',
  'etc/subuid-',
  'etc/subgid-',
  'etc/ssh/ssh_host_*',
  'etc/udev/rules.d/70-persistent-*',
  // The secret key by which the machine trusts repositories: each makes its own.
  'etc/pacman.d/gnupg',
  // `pacman -Scc` asks whether to remove everything, and takes no for an answer where nobody is asked.
  'var/cache/pacman/pkg/*',
  'var/lib/pacman/sync/*',
  'var/lib/pacman/db.lck',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/dhcpcd/*',
  'var/lib/NetworkManager/*',
  'var/lib/cloud/*',
  'var/cache/ldconfig/*',
  'var/cache/man/*',
  'var/tmp/*',
  'root/.bash_history',
  'root/.gnupg',
];

const layer: Seal = { remove: REMOVE, emptyFolders: ['var/log'], truncate: ['etc/machine-id'] };

const AFTER_BOOT: readonly string[] = [
  'etc/.updated',
  'var/.updated',
  'etc/adjtime',
  'etc/systemd/network/10-cloud-init-*',
  'etc/NetworkManager/system-connections/cloud-init-*',
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
  'var/lib/logrotate.status',
  'root/.cache',
  'root/.lesshst',
  'root/.python_history',
  'root/.wget-hsts',
];

export const seal: Family['seal'] = { commands: [keyringAtFirstBoot()], layer, booted: { ...layer, remove: [...REMOVE, ...AFTER_BOOT] } };

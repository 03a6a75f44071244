import type { Seal } from '../recipe.ts';

const REMOVE: readonly string[] = [
  'etc/.pwd.lock',
  'etc/passwd-',
  'etc/group-',
  'etc/shadow-',
  'etc/gshadow-',
  // Not emptied: dbus makes one where there is none, and takes an empty one for damage.
  'etc/machine-id',
  'etc/ssh/ssh_host_*',
  'etc/udev/rules.d/70-persistent-*',
  'var/lib/dbus/machine-id',
  // Seeds of the random numbers: of OpenRC's seedrng, and of its urandom before.
  'var/lib/seedrng',
  'var/lib/misc/random-seed',
  'var/lib/dhcp/*',
  'var/lib/dhcpcd/*',
  'var/lib/cloud/*',
  'var/cache/apk/*',
  'var/tmp/*',
  'root/.ash_history',
  'root/.bash_history',
];

/** What is taken away at the end of every layer. */
export const LAYER_SEAL: Seal = { remove: REMOVE, emptyFolders: ['var/log'], truncate: [] };

/** What a boot leaves besides: state that a machine makes anew. */
export const BOOTED_SEAL: Seal = {
  ...LAYER_SEAL,
  remove: [
    ...REMOVE,
    'etc/resolv.conf',
    'etc/cloud/cloud-init.disabled',
    'var/lib/cloud',
    'var/lib/chrony/*',
    'var/lib/logrotate*',
    'tmp/*',
    'tmp/.[!.]*',
    'root/.cache',
    'root/.lesshst',
    'root/.python_history',
    'root/.wget-hsts',
  ],
};

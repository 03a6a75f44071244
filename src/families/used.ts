import type { GuestCommand } from '../sources/bootstrap/recipe.ts';
import type { Family } from './family.ts';
import type { Seal } from './recipe.ts';

/** What people leave where they work, in the folders of users. */
const IN_HOMES = [
  '.ash_history',
  '.bash_history',
  '.zsh_history',
  '.histfile',
  '.lesshst',
  '.python_history',
  '.node_repl_history',
  '.psql_history',
  '.mysql_history',
  '.mariadb_history',
  '.sqlite_history',
  '.rediscli_history',
  '.viminfo',
  '.wget-hsts',
  '.sudo_as_admin_successful',
  '.cache',
  '.ssh/known_hosts*',
];

/** What a machine has of where it ran, besides what a single boot leaves. */
const OF_THE_MACHINE = [
  // One folder for each machine that wrote a journal, called by its machine-id.
  'var/log/journal/*',
  // Whether one may log in by password is said anew to every machine.
  'etc/ssh/sshd_config.d/50-cloud-init.conf',
  'var/spool/mail/*',
  'var/mail/*',
  'var/crash/*',
];

/** The lines that the lab's seed wrote for shared folders: another machine has not got them, and would look for them at each start. */
const WITHOUT_SHARES: GuestCommand = {
  label: 'Shared folders leave /etc/fstab',
  argv: [
    'sh',
    '-ec',
    `share='^share[0-9]+ /[^ ]* (virtiofs|9p) r[ow],nofail[^ ]* 0 0$'
if [ -f /etc/fstab ] && grep -Eq "$share" /etc/fstab; then
  others=$(grep -Ev "$share" /etc/fstab || true)
  printf '%s\\n' "$others" >/etc/fstab
fi`,
  ],
};

/** Makes of a machine that people have used what a new one can be made of: `last` runs before the disk is sealed. */
export function usedSeal(family: Pick<Family, 'seal' | 'labels'>): { readonly last: readonly GuestCommand[]; readonly seal: Seal } {
  const { commands, booted } = family.seal;
  const homes = IN_HOMES.flatMap((name) => [`root/${name}`, `home/*/${name}`]);
  return {
    last: [...family.labels(), ...commands, WITHOUT_SHARES],
    seal: { ...booted, remove: [...new Set([...booted.remove, ...OF_THE_MACHINE, ...homes])] },
  };
}

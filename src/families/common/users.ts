import { IngotError } from '../../base/errors.ts';
import type { Release } from '../../catalog/schema.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { ResolvedUser } from '../../template/template.ts';
import type { RootFile } from '../../workspace/guest-root.ts';
import type { Changes } from '../changes.ts';
import { shell } from './shell.ts';

/**
 * The accounts of a template: made where they are missing, changed where they are there. Numbers that are not given are the next free ones,
 * which the image alone decides. Throws `user-invalid` and `ssh-key-invalid`.
 */
export function usersChanges(users: readonly ResolvedUser[], release: Pick<Release, 'defaultUser'>): Changes {
  return accountChanges(users, release, SHADOW);
}

/** How accounts are made and changed inside an image; each script gets the account's name first. */
export interface AccountScripts {
  /** Further arguments: number, home, shell, comment, `yes` for a system account, further groups with commas; empty for what is not given. */
  readonly account: string;
  /** No password works from then on, and keys do. */
  readonly noPassword: string;
  /** Standard input is a crypt(5) hash, which no command line may hold. */
  readonly password: string;
}

/** The accounts of a template, made with the tools of a family. */
export function accountChanges(users: readonly ResolvedUser[], release: Pick<Release, 'defaultUser'>, scripts: AccountScripts): Changes {
  for (const user of users) check(user);
  return {
    packages: users.some((user) => rule(user) !== undefined) ? ['sudo'] : [],
    files: [...users.flatMap(sudoers), ...defaultUserFiles(users, release)],
    commands: users.flatMap((user) => commandsFor(user, scripts)),
    kernelArguments: [],
  };
}

function check(user: ResolvedUser): void {
  const problem = problemOf(user);
  if (problem !== undefined) throw new IngotError('usage', 'user-invalid', `The user ${user.name} ${problem}`);
  for (const key of keysOf(user)) checkKey(user.name, key);
}

function problemOf(user: ResolvedUser): string | undefined {
  if (user.name === 'root' && user.uid !== undefined) return 'has the number 0, and no other';
  if (user.system && user.home === undefined && user.sshKeys.length > 0) return 'is a system account without a home, so it can have no SSH keys';
  if (/[:\p{Cc}]/u.test(user.comment ?? '')) return 'has a comment with a colon or a control character';
  if ([user.home, user.shell].some((path) => path !== undefined && /[:\p{Cc}]/u.test(path))) return 'has a path with a colon or a control character';
  if (typeof user.sudo === 'string' && /\p{Cc}|\\$/u.test(user.sudo)) return 'has a sudo rule of more than one line';
  return undefined;
}

/** A line of authorized_keys: perhaps options, then type, key and comment (sshd(8), AUTHORIZED_KEYS FILE FORMAT). */
const KEY = /^(?:[^\s"].* )?(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp(?:256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+={0,2}(?: .*)?$/;

function checkKey(user: string, key: string): void {
  if (KEY.test(key) && !/\p{Cc}/u.test(key)) return;
  const hint = key.includes('PRIVATE KEY')
    ? 'This is a private key. Name its public part, the file that ends in .pub.'
    : 'A public key looks like `ssh-ed25519 AAAA… name`.';
  throw new IngotError('usage', 'ssh-key-invalid', `An SSH key of the user ${user} is no public key`, { hint });
}

/** All keys of a user, one in a line each; a text may hold several, and comments. */
function keysOf(user: ResolvedUser): string[] {
  const lines = user.sshKeys.flatMap((text) => text.split('\n')).map((line) => line.trim());
  return [...new Set(lines.filter((line) => line !== '' && !line.startsWith('#')))];
}

function rule({ sudo }: ResolvedUser): string | undefined {
  if (sudo === false) return undefined;
  return sudo === true ? 'ALL=(ALL:ALL) NOPASSWD: ALL' : sudo;
}

/** cloud-init locks its default user's password in each new machine, unless it is told that there is to be one. */
function defaultUserFiles(users: readonly ResolvedUser[], { defaultUser }: Pick<Release, 'defaultUser'>): RootFile[] {
  const found = users.find(({ name }) => name === defaultUser);
  if (found === undefined) return [];
  const content = `${JSON.stringify({ system_info: { default_user: { lock_passwd: found.passwordHash === undefined } } })}\n`;
  return [{ path: '/etc/cloud/cloud.cfg.d/90-ingot-default-user.cfg', content, mode: '0644' }];
}

const sudoersFile = (name: string): string => `/etc/sudoers.d/90-ingot-${name}`;

function sudoers(user: ResolvedUser): RootFile[] {
  const text = rule(user);
  return text === undefined ? [] : [{ path: sudoersFile(user.name), content: `${user.name} ${text}\n`, mode: '0440' }];
}

/**
 * useradd and usermod know nothing of "make it so", hence the two branches. A user's own group has the user's name; further groups that are
 * missing become system groups, so that they take no number that a user could have. The day of the last change of the password is cleared:
 * it would be today's, and means that passwords do not age.
 */
const ACCOUNT = String.raw`
name=$1 uid=$2 home=$3 shell=$4 comment=$5 system=$6 groups=$7
if [ -n "$shell" ] && [ ! -x "$shell" ]; then
  echo "The shell $shell of the user $name is not in the image: add its package to the packages." >&2
  exit 1
fi
if [ -n "$uid" ]; then
  holder=$(getent passwd "$uid" | cut -d : -f 1)
  if [ -n "$holder" ] && [ "$holder" != "$name" ]; then
    echo "The user $name cannot have the number $uid: $holder has it." >&2
    exit 1
  fi
fi
for group in $(echo "$groups" | tr , ' '); do getent group "$group" >/dev/null || groupadd --system "$group"; done
if getent passwd "$name" >/dev/null; then
  set --
  [ -z "$uid" ] || set -- "$@" --uid "$uid"
  [ -z "$home" ] || set -- "$@" --home "$home"
  [ -z "$shell" ] || set -- "$@" --shell "$shell"
  [ -z "$comment" ] || set -- "$@" --comment "$comment"
  [ -z "$groups" ] || set -- "$@" --append --groups "$groups"
  [ $# -eq 0 ] || usermod "$@" "$name"
else
  set -- --comment "$comment"
  if [ "$system" = yes ]; then
    set -- "$@" --system --shell "${'$'}{shell:-/usr/sbin/nologin}"
    if [ -n "$home" ]; then set -- "$@" --create-home --home-dir "$home"; else set -- "$@" --no-create-home --home-dir /nonexistent; fi
  else
    set -- "$@" --create-home --home-dir "${'$'}{home:-/home/$name}" --shell "${'$'}{shell:-/bin/bash}"
  fi
  if getent group "$name" >/dev/null; then set -- "$@" --gid "$name"; else set -- "$@" --user-group; fi
  [ -z "$uid" ] || set -- "$@" --uid "$uid"
  [ -z "$groups" ] || set -- "$@" --groups "$groups"
  useradd "$@" "$name"
fi
chage --lastday -1 "$name"
rm -f /etc/subuid- /etc/subgid-
`;

const NO_PASSWORD = String.raw`usermod --password '!' "$1"; chage --lastday -1 "$1"`;

/** Reads the hash from standard input into `hash`, and refuses what is none. */
export const READ_HASH = String.raw`
IFS= read -r hash || [ -n "$hash" ]
case "$hash" in
  *:* | *' '*) bad=yes ;;
  '$'?*'$'?*) bad=no ;;
  *) bad=yes ;;
esac
if [ "$bad" = yes ]; then
  echo "The secret with the password hash of the user $1 holds no crypt(5) hash, such as mkpasswd prints." >&2
  exit 1
fi
`;

/** The hash goes on by a pipe: no command line holds it. */
const PASSWORD = String.raw`${READ_HASH.trimEnd()}
printf '%s:%s\n' "$1" "$hash" | chpasswd --encrypted
chage --lastday -1 "$1"
`;

const SHADOW: AccountScripts = { account: ACCOUNT, noPassword: NO_PASSWORD, password: PASSWORD };

const KEYS = String.raw`
name=$1 keys=$2
home=$(getent passwd "$name" | cut -d : -f 6)
group=$(id -gn "$name")
[ -d "$home" ] || { echo "The user $name has no home for SSH keys." >&2; exit 1; }
install -d -m 0700 -o "$name" -g "$group" "$home/.ssh"
umask 077
printf '%s' "$keys" >"$home/.ssh/authorized_keys.new"
chown "$name:$group" "$home/.ssh/authorized_keys.new"
mv -fT "$home/.ssh/authorized_keys.new" "$home/.ssh/authorized_keys"
`;

function commandsFor(user: ResolvedUser, scripts: AccountScripts): GuestCommand[] {
  const { name, uid, home = '', shell: loginShell = '', comment = '', system, groups, passwordHash } = user;
  const keys = keysOf(user);
  return [
    shell(`user ${name}`, scripts.account, name, uid === undefined ? '' : String(uid), home, loginShell, comment, system ? 'yes' : '', groups.join(',')),
    passwordHash === undefined
      ? shell(`no password for ${name}`, scripts.noPassword, name)
      : { ...shell(`password of ${name}`, scripts.password, name), secretStdin: passwordHash },
    ...(keys.length === 0 ? [] : [shell(`SSH keys of ${name}`, KEYS, name, `${keys.join('\n')}\n`)]),
    rule(user) === undefined
      ? { label: `no sudo for ${name}`, argv: ['rm', '-f', sudoersFile(name)] }
      : { label: `sudo for ${name}`, argv: ['visudo', '--check', '--file', sudoersFile(name)] },
  ];
}

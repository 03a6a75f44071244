import { unreadable } from './answer-files.ts';
import type { InstallFacts, InstallUser, LateCommand } from './facts.ts';
import { NEWLINE, factsScript, scriptFacts } from './shell-words.ts';

/*
 * What installers have no words for, or only for a first user: a script that runs in the installed system before the machine goes off. Users are made
 * here rather than at the first boot (as cloud-init would), so that the disk is whole when the installation ends.
 */

/** A password that no one can have typed; unlike `!` it does not lock the account, which would keep keys out too. */
export const NO_PASSWORD = '*';

/** What a kind leaves to the script. */
export interface FinishFacts {
  readonly hostname?: string;
  readonly locale?: string;
  readonly rootPasswordHash?: string | undefined;
  /** With everything of them; where the installer makes users itself, only what it does not. */
  readonly users: readonly InstallUser[];
  readonly lateCommands: readonly LateCommand[];
}

type System = 'shadow' | 'busybox';

/** What a script may call; it holds those functions alone that it does. */
const FUNCTIONS: Readonly<Record<System, ReadonlyMap<string, string>>> = {
  shadow: functions(
    `add_user() { # name, full name
  id "$1" > /dev/null 2>&1 || useradd -m -s /bin/bash "$1"
  [ -z "$2" ] || usermod -c "$2" "$1"
}`,
    `allow_all() { # name
  printf '%s ALL=(ALL) NOPASSWD: ALL\\n' "$1" > "/etc/sudoers.d/90-$1"
  chmod 440 "/etc/sudoers.d/90-$1"
}`,
  ),
  busybox: functions(
    `add_user() { # name, full name
  id "$1" > /dev/null 2>&1 || adduser -D -g "$2" -s /bin/sh "$1"
}`,
    `allow_all() { # name
  mkdir -p /etc/doas.d
  printf 'permit nopass %s\\n' "$1" > "/etc/doas.d/90-$1.conf"
}`,
  ),
};

function functions(addUser: string, allowAll: string): ReadonlyMap<string, string> {
  return new Map([
    [
      'set_hostname',
      `set_hostname() { # name
  printf '%s\\n' "$1" > /etc/hostname
  sed -i '/^127\\.0\\.1\\.1[[:space:]]/d' /etc/hosts
  printf '127.0.1.1\\t%s %s\\n' "$1" "\${1%%.*}" >> /etc/hosts
}`,
    ],
    [
      'set_locale',
      `set_locale() { # locale
  printf 'export LANG=%s\\n' "$1" > /etc/profile.d/90-locale.sh
}`,
    ],
    [
      'set_password',
      `set_password() { # name, hash
  printf '%s:%s\\n' "$1" "$2" | chpasswd -e
}`,
    ],
    ['add_user', addUser],
    [
      'add_key',
      `add_key() { # name, public key
  home=$(awk -F: -v name="$1" '$1 == name { print $6 }' /etc/passwd)
  group=$(id -gn "$1")
  install -d -m 700 -o "$1" -g "$group" "$home/.ssh"
  printf '%s\\n' "$2" >> "$home/.ssh/authorized_keys"
  chown "$1:$group" "$home/.ssh/authorized_keys"
  chmod 600 "$home/.ssh/authorized_keys"
  if command -v restorecon > /dev/null; then restorecon -R "$home/.ssh"; fi
}`,
    ],
    ['allow_all', allowAll],
    ['run', 'run() { "$@"; }'],
    ['shell', 'shell() { sh -c "$1"; }'],
  ]);
}

function script(calls: readonly (readonly string[])[], system: System): string {
  const called = new Set(calls.map(([verb]) => verb));
  const used = [...FUNCTIONS[system]].filter(([verb]) => called.has(verb)).map(([, text]) => `${text}\n`);
  return factsScript(
    `#!/bin/sh\n# Made by ingot: the end of an installation, run as root in the installed system.\nset -eu\n${NEWLINE}\n${used.join('')}`,
    calls,
  );
}

/** The script; with busybox's programs for Alpine, else with those of shadow. Pure. */
export function finishScript({ hostname, locale, rootPasswordHash, users, lateCommands }: FinishFacts, system: System = 'shadow'): string {
  return script(
    [
      ...(hostname === undefined ? [] : [['set_hostname', hostname]]),
      ...(locale === undefined ? [] : [['set_locale', locale]]),
      ...(rootPasswordHash === undefined ? [] : [['set_password', 'root', rootPasswordHash]]),
      ...users.flatMap(({ name, fullName, passwordHash, sshKeys, sudo }) => [
        ['add_user', name, fullName ?? ''],
        ['set_password', name, passwordHash ?? NO_PASSWORD],
        ...sshKeys.map((key) => ['add_key', name, key]),
        ...(sudo ? [['allow_all', name]] : []),
      ]),
      ...lateCommandLines(lateCommands),
    ],
    system,
  );
}

/** For kinds whose installer makes the users: whom `sudo` allows everything, keys besides those `keysSaid` that the installer is told, and the commands of the user. */
export function shortFinishScript({ users, lateCommands }: Pick<InstallFacts, 'users' | 'lateCommands'>, keysSaid = Number.POSITIVE_INFINITY): string {
  return script(
    [
      ...users.flatMap(({ name, sshKeys, sudo }) => [...sshKeys.slice(keysSaid).map((key) => ['add_key', name, key]), ...(sudo ? [['allow_all', name]] : [])]),
      ...lateCommandLines(lateCommands),
    ],
    'shadow',
  );
}

function lateCommandLines(commands: readonly LateCommand[]): string[][] {
  return commands.map((command) => ('argv' in command ? ['run', ...command.argv] : ['shell', command.shell]));
}

/** What a script says; `allowed` are those whom it allows everything, `keys` those of users whom it does not make. Throws `answers-unreadable`. */
export function readFinishScript(
  script: string,
): FinishFacts & { readonly allowed: ReadonlySet<string>; readonly keys: ReadonlyMap<string, readonly string[]> } {
  const users = new Map<string, { name: string; fullName?: string; passwordHash?: string; sshKeys: string[]; sudo: boolean }>();
  const found: { hostname?: string; locale?: string; rootPasswordHash?: string } = {};
  const allowed = new Set<string>();
  const keys = new Map<string, string[]>();
  const lateCommands: LateCommand[] = [];
  for (const [verb = '', ...words] of scriptFacts(script)) {
    const [first = '', second = ''] = words;
    const user = users.get(first);
    if (verb === 'set_hostname') found.hostname = first;
    else if (verb === 'set_locale') found.locale = first;
    else if (verb === 'add_user') users.set(first, { name: first, ...(second === '' ? {} : { fullName: second }), sshKeys: [], sudo: false });
    else if (verb === 'add_key' && user !== undefined) user.sshKeys.push(second);
    else if (verb === 'add_key') keys.set(first, [...(keys.get(first) ?? []), second]);
    else if (verb === 'run') lateCommands.push({ argv: words });
    else if (verb === 'shell') lateCommands.push({ shell: first });
    else if (verb === 'allow_all') {
      allowed.add(first);
      if (user !== undefined) user.sudo = true;
    } else if (verb === 'set_password') {
      if (second === NO_PASSWORD) continue;
      if (user !== undefined) user.passwordHash = second;
      else if (first === 'root') found.rootPasswordHash = second;
    } else throw unreadable(`its script calls ${verb}`);
  }
  return { ...found, users: [...users.values()], lateCommands, allowed, keys };
}

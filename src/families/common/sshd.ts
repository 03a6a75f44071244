import type { Release } from '../../catalog/schema.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from './shell.ts';
import { invalid } from './words.ts';

/**
 * sshd takes the first value that it reads, so this file comes before the base's 50-ingot.conf. The default user, as whom platforms and ingot
 * log in, stays allowed.
 */
export function sshdChanges({ sshd: wanted }: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes {
  if (wanted === undefined) return NOTHING;
  const allowed = wanted['allow-users'];
  const yes = (value: boolean): string => (value ? 'yes' : 'no');
  const password = wanted['password-authentication'];
  const lines = [
    ...(wanted.port === undefined ? [] : [`Port ${wanted.port}`]),
    ...(password === undefined ? [] : [`PasswordAuthentication ${yes(password)}`, `KbdInteractiveAuthentication ${yes(password)}`]),
    ...(wanted['permit-root-login'] === undefined ? [] : [`PermitRootLogin ${wanted['permit-root-login']}`]),
    ...(allowed === undefined ? [] : [`AllowUsers ${[...new Set([release.defaultUser, ...allowed])].map(sshdWord).join(' ')}`]),
  ];
  if (lines.length === 0) return NOTHING;
  return { ...NOTHING, files: [rootFile('/etc/ssh/sshd_config.d/40-ingot-template.conf', `${lines.join('\n')}\n`)], commands: [shell('sshd', SSHD)] };
}

/**
 * Older distributions' sshd knows no Include (before OpenSSH 8.2), or their file has none: there the lines go to the beginning of the file itself,
 * since the first value holds.
 */
const MAIN_FILE = String.raw`
own=$1 main=/etc/ssh/sshd_config
[ -e "$main" ] || main=/usr/etc/ssh/sshd_config
if ! grep -qiE '^[[:space:]]*Include[[:space:]]+"?/etc/ssh/sshd_config\.d/' "$main"; then
  sed '/^# begin ingot$/,/^# end ingot$/d' "$main" >/tmp/sshd_config
  { echo '# begin ingot'; cat "$own"; echo '# end ingot'; cat /tmp/sshd_config; } >"$main"
fi
`;

/** As {@link sshdChanges}, for systems whose sshd_config may read no drop-ins. */
export function sshdWithMainFile(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>): Changes {
  const changes = sshdChanges(system, release);
  const [own] = changes.files;
  return own === undefined ? changes : { ...changes, commands: [shell('sshd', MAIN_FILE, own.path), ...changes.commands] };
}

/** Where SELinux is on, sshd may listen on port 22 and on what the policy is told (semanage-port(8)). */
const PORT = String.raw`
mode=$(sed -n 's/^SELINUX=//p' /etc/selinux/config 2>/dev/null | tail -n 1)
if [ -n "$mode" ] && [ "$mode" != disabled ]; then semanage port --noreload --add --type ssh_port_t --proto tcp "$1"; fi
`;

/** As {@link sshdChanges}, for systems with SELinux; `semanage` is the package that has the program. */
export function sshdWithSelinux(system: ResolvedSystem, release: Pick<Release, 'defaultUser'>, semanage: string): Changes {
  const changes = sshdChanges(system, release);
  const [own] = changes.files;
  if (own === undefined) return changes;
  const port = system.sshd?.port ?? 22;
  return {
    ...changes,
    packages: port === 22 ? [] : [semanage],
    commands: [shell('sshd', MAIN_FILE, own.path), ...(port === 22 ? [] : [shell('port of sshd', PORT, String(port))]), ...changes.commands],
  };
}

/** sshd_config(5): patterns of users may have a host; quotes, comments and backslashes would mean something else. */
function sshdWord(word: string): string {
  if (/^[^\s"'#\\\p{Cc}]+$/u.test(word)) return word;
  throw invalid(`${JSON.stringify(word)} in allow-users is no pattern of user names`);
}

/** sshd looks at its configuration only where it has a host key and its folder in /run: those of an image are made at its first boot. */
const SSHD = String.raw`
mkdir -p -m 0755 /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /tmp/key
/usr/sbin/sshd -t -h /tmp/key
`;

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

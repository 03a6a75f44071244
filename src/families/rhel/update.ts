import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { dnf } from './install.ts';

/** Advisories come with a repository's metadata; where it has none, `--security` finds nothing. */
export function update(which: 'all' | 'security'): GuestCommand[] {
  return which === 'all' ? dnf('update', 'upgrade') : dnf('security updates', 'upgrade', '--security');
}

/** dnf 5 gave the timer another name; those of dnf 4 that say in their names what they do would not read the file. */
const TIMER = String.raw`
state=$1
for timer in dnf5-automatic.timer dnf-automatic.timer; do
  if [ -e "/usr/lib/systemd/system/$timer" ]; then
    systemctl "$state" --quiet "$timer"
    if [ "$state" = enable ]; then exit 0; fi
  fi
done
if [ "$state" = enable ]; then
  echo 'There is no timer of dnf-automatic in the image.' >&2
  exit 1
fi
`;

const OTHER_TIMERS = ['dnf-automatic-install.timer', 'dnf-automatic-download.timer', 'dnf-automatic-notifyonly.timer', 'dnf-makecache.timer'] as const;
const OTHERS_OFF = 'for timer; do if [ -e "/usr/lib/systemd/system/$timer" ]; then systemctl disable --quiet "$timer"; fi; done';

/** Updates that a machine installs by itself (dnf-automatic(8), dnf5-automatic(8)). */
export function automaticUpdates({ 'automatic-updates': wanted }: ResolvedSystem): Changes {
  if (wanted === undefined) return NOTHING;
  if (wanted === 'none') {
    return { ...NOTHING, commands: [shell('no automatic updates', TIMER, 'disable'), shell('no automatic updates', OTHERS_OFF, ...OTHER_TIMERS)] };
  }
  const type = wanted === 'security' ? 'security' : 'default';
  const lines = [
    '[commands]',
    `upgrade_type = ${type}`,
    'random_sleep = 0',
    'download_updates = yes',
    'apply_updates = yes',
    '',
    '[emitters]',
    'emit_via = stdio',
    '',
  ];
  return {
    ...NOTHING,
    packages: ['dnf-automatic'],
    files: [rootFile('/etc/dnf/automatic.conf', lines.join('\n'))],
    commands: [shell('automatic updates', TIMER, 'enable')],
  };
}

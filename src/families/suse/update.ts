import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { ResolvedSystem } from '../../template/template.ts';
import { NOTHING, rootFile, type Changes } from '../changes.ts';
import { shell } from '../common/shell.ts';
import { change } from './install.ts';

/** Security updates are patches of that category; a distribution without patches, such as Tumbleweed, has none. */
export function update(which: 'all' | 'security'): GuestCommand[] {
  return which === 'all'
    ? change('update', 'update', '--no-recommends', '--auto-agree-with-licenses')
    : change('security updates', 'patch', '--category', 'security', '--no-recommends', '--auto-agree-with-licenses');
}

const UNIT = 'ingot-updates';

/** 102 and 103 say that machine or zypper should start anew: the next time is soon enough for the second. */
const service = (words: string): string => `[Unit]
Description=Install updates
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/usr/bin/zypper --non-interactive --quiet ${words} --no-recommends --auto-agree-with-licenses
SuccessExitStatus=102 103
`;

const TIMER = `[Unit]
Description=Install updates every day

[Timer]
OnCalendar=daily
RandomizedDelaySec=2h
Persistent=true

[Install]
WantedBy=timers.target
`;

/** Any of them may be missing. */
const OFF =
  'for timer; do if [ -e "/etc/systemd/system/$timer" ] || [ -e "/usr/lib/systemd/system/$timer" ]; then systemctl disable --quiet "$timer"; fi; done';

/** Updates that a machine installs by itself. SUSE has YaST for it; a timer of ingot's own needs nothing. */
export function automaticUpdates({ 'automatic-updates': wanted }: ResolvedSystem): Changes {
  if (wanted === undefined) return NOTHING;
  if (wanted === 'none') {
    return {
      ...NOTHING,
      commands: [shell('no automatic updates', OFF, `${UNIT}.timer`, 'yast2-online-update.timer', 'os-update.timer', 'transactional-update.timer')],
    };
  }
  return {
    ...NOTHING,
    files: [
      rootFile(`/etc/systemd/system/${UNIT}.service`, service(wanted === 'security' ? 'patch --category security' : 'update')),
      rootFile(`/etc/systemd/system/${UNIT}.timer`, TIMER),
    ],
    commands: [{ label: 'automatic updates', argv: ['systemctl', 'enable', '--quiet', `${UNIT}.timer`] }],
  };
}

import type { AnswerProblem } from './answer-files.ts';
import { asks, inOrder, unknownWord } from './check-helpers.ts';

/** Commands that Fedora and RHEL 8 to 10 know (pykickstart, F29 to F43 and RHEL8 to RHEL10). */
const COMMANDS = [
  'authselect', 'autopart', 'bootc', 'bootloader', 'btrfs', 'cdrom', 'clearpart', 'cmdline', 'driverdisk', 'eula', 'fcoe', 'firewall', 'firstboot', 'graphical',
  'group', 'halt', 'harddrive', 'hmc', 'ignoredisk', 'iscsi', 'iscsiname', 'keyboard', 'lang', 'liveimg', 'logging', 'logvol', 'mediacheck', 'module', 'mount',
  'network', 'nfs', 'nvdimm', 'ostreecontainer', 'ostreesetup', 'part', 'partition', 'poweroff', 'raid', 'rdp', 'realm', 'reboot', 'repo', 'reqpart', 'rescue',
  'rhsm', 'rootpw', 'selinux', 'services', 'shutdown', 'skipx', 'snapshot', 'sshkey', 'sshpw', 'stage2', 'syspurpose', 'text', 'timesource', 'timezone',
  'updates', 'url', 'user', 'vnc', 'volgroup', 'xconfig', 'zerombr', 'zfcp', 'zipl', 'dmraid', 'multipath', 'autostep', 'method', 'nosupport',
]; // prettier-ignore
/** Commands that are gone, and since when. */
const GONE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    install: 'RHEL 8',
    upgrade: 'RHEL 8',
    auth: 'RHEL 9; write authselect',
    authconfig: 'RHEL 9; write authselect',
    device: 'RHEL 8',
    interactive: 'RHEL 8',
    key: 'RHEL 7',
    langsupport: 'RHEL 5',
    monitor: 'RHEL 8',
    mouse: 'RHEL 5',
    unsupported_hardware: 'RHEL 8',
  }),
);
const SECTIONS = ['%packages', '%pre', '%pre-install', '%post', '%onerror', '%traceback', '%addon', '%anaconda', '%certificate'];
const LINES = ['%include', '%ksappend'];
const SECTION_COMMANDS = ['autopart', 'part', 'partition', 'logvol', 'raid', 'mount', 'btrfs', 'ostreecontainer'];

/** Faults of a kickstart file. Pure. */
export function checkKickstart(text: string): AnswerProblem[] {
  const problems: AnswerProblem[] = [];
  const seen = new Map<string, number>();
  let section: { readonly name: string; readonly line: number } | undefined;
  let included = false;
  for (const [i, raw] of text.split('\n').entries()) {
    const place = { line: i + 1, column: 1 };
    const word = raw.trim().split(/\s/)[0] ?? '';
    if (section !== undefined) {
      if (word === '%end') section = undefined;
      else if (SECTIONS.includes(word)) {
        problems.push({
          class: 'syntax',
          message: `${section.name} of line ${section.line} is not closed before ${word}`,
          hint: 'Close it with %end.',
          ...place,
        });
        section = { name: word, line: place.line };
      }
      continue;
    }
    if (word === '' || word.startsWith('#')) continue;
    if (LINES.includes(word)) included = true;
    else if (word === '%end') problems.push({ class: 'syntax', message: '%end closes nothing', ...place });
    else if (SECTIONS.includes(word)) section = { name: word, line: place.line };
    else if (word.startsWith('%')) problems.push(unknownWord('the section', word, SECTIONS, place));
    else {
      seen.set(word, place.line);
      problems.push(...commandProblems(word, raw, place));
    }
  }
  if (section !== undefined)
    problems.push({ class: 'syntax', message: `${section.name} is not closed`, hint: 'Close it with %end.', line: section.line, column: 1 });
  // A file that is included may have what is missed here.
  return inOrder([...problems, ...(included ? [] : questions(seen))]);
}

function commandProblems(word: string, raw: string, place: { line: number; column: number }): AnswerProblem[] {
  const gone = GONE.get(word);
  const column = raw.indexOf(word) + 1;
  if (gone !== undefined) return [{ class: 'unknown', message: `the command "${word}" is gone since ${gone.replace(';', ':')}`, ...place, column }];
  if (!COMMANDS.includes(word)) return [unknownWord('the command', word, COMMANDS, { ...place, column })];
  const open = openQuote(raw);
  return open === undefined ? [] : [{ class: 'syntax', message: 'the quotes are not closed', ...place, column: open }];
}

/** The column of quotes that the line does not close. */
function openQuote(line: string): number | undefined {
  let quote: { readonly mark: string; readonly column: number } | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (quote === undefined && character === '#' && (at === 0 || /\s/.test(line.charAt(at - 1)))) break;
    if (character === '\\' && quote?.mark !== "'") at += 1;
    else if (quote === undefined && (character === '"' || character === "'")) quote = { mark: character, column: at + 1 };
    else if (quote?.mark === character) quote = undefined;
  }
  return quote?.column;
}

function questions(seen: ReadonlyMap<string, number>): AnswerProblem[] {
  const lacks = (...commands: string[]): boolean => !commands.some((command) => seen.has(command));
  return [
    ...(lacks('lang') ? [asks('no language is named', 'Write lang en_US.UTF-8.')] : []),
    ...(lacks('keyboard') ? [asks('no keyboard is named', 'Write keyboard --vckeymap=us.')] : []),
    ...(lacks('timezone') ? [asks('no time zone is named', 'Write timezone UTC --utc.')] : []),
    ...(lacks('rootpw', 'user', 'sshkey') ? [asks('nobody can log in', 'Write rootpw --iscrypted, or user.')] : []),
    ...(lacks(...SECTION_COMMANDS) ? [asks('no disk is divided', 'Write autopart, or part for each partition.')] : []),
    ...(lacks('clearpart', 'ignoredisk', 'ostreecontainer') && !lacks(...SECTION_COMMANDS) && lacks('zerombr')
      ? [asks('a disk that is not empty is not cleared', 'Write zerombr and clearpart --all --initlabel.')]
      : []),
    ...(lacks('poweroff', 'shutdown')
      ? [{ class: 'value' as const, message: 'the machine does not go off at the end', hint: 'Write poweroff.', line: 1, column: 1 }]
      : []),
  ];
}

import { describe, expect, test } from 'vitest';
import type { AnswerKind } from './answer-files.ts';
import { RELEASES, sampleFacts } from '../../../../tests/support/install-facts.ts';
import { checkAnswers, writeAnswers } from './answers.ts';

/** Problems as lines: place, class, message. */
const problems = (kind: AnswerKind, text: string): string[] =>
  checkAnswers(kind, text).map(({ line, column, class: what, message }) => `${line}:${column} ${what}: ${message}`);
/** The file of the sample with a part replaced. */
function changed(kind: AnswerKind, from: string | RegExp, to: string): string {
  const found = RELEASES.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`no release has ${kind}`);
  const { files } = writeAnswers(kind, sampleFacts(found.release));
  const text = files.find(({ name }) => name !== 'install.sh')?.text ?? '';
  const after = text.replace(from, to);
  expect(after).not.toBe(text);
  return after;
}

describe("files of the user are checked by their installer's words", () => {
  test.each<[AnswerKind, string | RegExp, string, string[]]>([
    ['autoinstall', '  locale: de_CH.UTF-8', '  locales: de_CH.UTF-8', ['6:3 unknown: the key "locales" is not known']],
    ['autoinstall', '#cloud-config\n', '', ['1:1 syntax: cloud-init reads no user-data whose first line is not #cloud-config']],
    ['autoinstall', '  timezone: Europe', '\ttimezone: Europe', ['9:1 syntax: Tabs are not allowed as indentation']],
    ['autoinstall', '  version: 1', '  version: 2', ['3:12 value: version has to be 1']],
    ['autoinstall', '  user-data:\n    disable_root: true\n', '', ['2:1 question: no user is named']],
    ['autoinstall', '  shutdown: poweroff', '  interactive-sections:\n    - network\n  shutdown: poweroff', ['148:5 question: interactive-sections are asked']],
    ['kickstart', 'lang ', 'langg ', ['1:1 question: no language is named', '4:1 unknown: the command "langg" is not known']],
    ['kickstart', 'zerombr', 'install', ['16:1 unknown: the command "install" is gone since RHEL 8']],
    ['kickstart', 'rsync\n%end', 'rsync', ['32:1 syntax: %packages of line 25 is not closed before %post']],
    ['kickstart', /^rootpw.*\n|^user.*\n|^sshkey.*\n/gm, '', ['1:1 question: nobody can log in']],
    ['kickstart', /^(part|clearpart).*\n/gm, '', ['1:1 question: no disk is divided']],
    ['kickstart', /^keyboard.*\n/m, '', ['1:1 question: no keyboard is named']],
    ['kickstart', 'timezone Europe/Zurich', "timezone 'Europe/Zurich", ['6:10 syntax: the quotes are not closed']],
    [
      'preseed',
      'partman/confirm ',
      'partman/confrim ',
      ['1:1 question: partman asks before it writes', '32:5 unknown: the question "partman/confrim" is not known'],
    ],
    ['preseed', /^.*root-password.*\n/m, '', ["1:1 question: root's password is not said"]],
    ['preseed', 'clock-setup/utc boolean true', 'clock-setup/utc boolean yes', ['16:29 value: clock-setup/utc is true or false, not "yes"']],
    ['preseed', 'time/zone string', 'time/zone strnig', ['17:15 unknown: the type "strnig" is not known']],
    ['preseed', /^.*(partman-auto\/).*\n/gm, '', ['1:1 question: no disk is divided']],
    ['autoyast', '</keyboard>', '</keybord>', ['26:12 syntax: Unexpected close tag']],
    ['autoyast', '<confirm config:type="boolean">false', '<confirm config:type="boolean">true', ['6:5 question: the proposal is shown and waits']],
    ['autoyast', /<(\/?)timezone>\n/g, '<$1timezones>\n', []],
    ['agama', '"l10n"', '"l1On"', ['8:3 unknown: the key "l1On" is not known']],
    ['agama', '"SLES"', '"SLES",', ['4:3 syntax: Expected double-quoted property name']],
    ['agama', /"root": \{[^}]*\},/, '', ['1:1 question: nobody can log in']],
    ['archinstall', '"hostname"', '"hostnam"', ['12:3 unknown: the key "hostnam" is not known']],
    ['archinstall', 'pre_mounted_config', 'whole_disk', ['9:20 value: disk_config.config_type is default_layout, manual_partitioning, pre_mounted_config']],
    ['setup-alpine', 'KEYMAPOPTS', 'KEYMAPSOPTS', ['1:1 question: there is no KEYMAPOPTS', '2:1 unknown: the variable "KEYMAPSOPTS" is not known']],
    ['setup-alpine', '-m sys ', '', ['18:1 question: DISKOPTS does not say how the disk is used']],
    ['setup-alpine', 'SSHDOPTS="openssh"', 'setup-sshd openssh', ['1:1 question: there is no SSHDOPTS', '16:1 syntax: this is no assignment of a variable']],
  ])('%s: %s becomes %s', (kind, from, to, expected) => {
    const found = problems(kind, changed(kind, from, to));
    if (expected.length > 0) expect(found).toEqual(expected);
    else expect(found).not.toEqual([]);
  });

  test('a word that is nearly known has a hint', () => {
    expect(checkAnswers('agama', '{"product": {"id": "SLES"}, "rooot": {}, "root": {}}')[0]).toMatchObject({ hint: 'Did you mean root?', line: 1, column: 29 });
  });
});

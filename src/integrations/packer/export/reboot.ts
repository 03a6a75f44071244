import { IngotError } from '../../../base/errors.ts';
import type { AnswerFiles, AnswerKind } from '../../../sources/installer/answers/answers.ts';

/*
 * ingot waits for an installed machine to go off. Packer waits for it to come back, and to answer by SSH: the last word of each kind of answer file is
 * another one.
 */

/** What the last word is where the machine goes off, and where it starts again; it stands in one of the files, once. */
const LAST_WORDS: Readonly<Record<AnswerKind, readonly [off: RegExp, again: string]>> = {
  autoinstall: [/^( *"?shutdown"?: )"?poweroff"?(,?)$/m, '$1"reboot"$2'],
  kickstart: [/^poweroff$/m, 'reboot'],
  preseed: [/^(d-i debian-installer\/exit\/poweroff boolean) true$/m, '$1 false'],
  autoyast: [/(<final_halt [^>]*>)true(<\/final_halt>)/, '$1false$2'],
  agama: [/\bpoweroff\b/, 'reboot'],
  archinstall: [/^poweroff$/m, 'reboot'],
  'setup-alpine': [/^poweroff$/m, 'reboot'],
};

/** The same answers, after which the machine starts from its disk. Throws `answers-unreadable` where they do not say what comes last. */
export function rebooting(kind: AnswerKind, answers: AnswerFiles): AnswerFiles {
  const [off, again] = LAST_WORDS[kind];
  let changed = 0;
  const change = (text: string): string =>
    text.replace(off, (...found: string[]) => {
      changed++;
      return again.replaceAll(/\$(\d)/g, (_, digit: string) => found[Number(digit)] ?? '');
    });
  const files = answers.files.map((file) => ({ ...file, text: change(file.text) }));
  const { overlay } = answers;
  const entries = overlay?.entries.map((entry) => ('text' in entry ? { ...entry, text: change(entry.text) } : entry));
  if (changed !== 1) {
    throw new IngotError('internal', 'answers-unreadable', `The answer files of kind ${kind} do not say once that the machine goes off at the end`);
  }
  return { ...answers, files, ...(overlay === undefined || entries === undefined ? {} : { overlay: { ...overlay, entries } }) };
}

import { IngotError } from '../../../base/errors.ts';
import type { AnswerFiles, AnswerKind } from '../../../sources/installer/answers/answers.ts';

/*
 * ingot waits for an installed machine to go off. Packer waits for it to come back, and to answer by SSH: the last word of each kind of answer file is
 * another one.
 */

/** What the last word is where the machine goes off, and where it starts again. */
const LAST_WORDS: Readonly<Record<AnswerKind, readonly [off: RegExp, again: string]>> = {
  autoinstall: [/^( *shutdown: )poweroff$/m, '$1reboot'],
  kickstart: [/^poweroff$/m, 'reboot'],
  preseed: [/^(d-i debian-installer\/exit\/poweroff boolean) true$/m, '$1 false'],
  autoyast: [/(<halt [^>]*>)true(<\/halt>)/, '$1false$2'],
  // It is told so by an argument of the kernel.
  agama: [/^inst\.finish=poweroff$/, 'inst.finish=reboot'],
  archinstall: [/^poweroff$/m, 'reboot'],
  'setup-alpine': [/^poweroff$/m, 'reboot'],
};

/** The same answers, after which the machine starts from its disk. Throws where they do not say what comes last. */
export function rebooting(kind: AnswerKind, answers: AnswerFiles): AnswerFiles {
  const [off, again] = LAST_WORDS[kind];
  let changed = false;
  const change = (text: string): string => {
    changed ||= off.test(text);
    return text.replace(off, again);
  };
  const files = answers.files.map((file) => ({ ...file, text: change(file.text) }));
  const { overlay, delivery } = answers;
  const entries = overlay?.entries.map((entry) => ('text' in entry ? { ...entry, text: change(entry.text) } : entry));
  const served = delivery.http;
  const http = served === undefined ? undefined : (baseUrl: string): readonly string[] => served(baseUrl).map(change);
  http?.('');
  if (!changed) throw new IngotError('internal', 'internal', `the answer files of kind ${kind} do not say that the machine goes off at the end`);
  return {
    ...answers,
    files,
    delivery: { ...delivery, ...(http === undefined ? {} : { http }) },
    ...(overlay === undefined || entries === undefined ? {} : { overlay: { ...overlay, entries } }),
  };
}

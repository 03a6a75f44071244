import { IngotError } from '../../base/errors.ts';
import type { AnswerFiles } from './answers/answers.ts';

/** The files of an installer with the user's own text in the place of the one that answers; all else, and how they are handed over, stays. Pure. */
export function ownAnswers(files: AnswerFiles, name: string, text: string): AnswerFiles {
  const isIt = (path: string): boolean => path === name || path.endsWith(`/${name}`);
  const { overlay } = files;
  const own = files.files.map((file) => (isIt(file.name) ? { ...file, text } : file));
  const entries = overlay?.entries.map((entry) => ('text' in entry && isIt(entry.path) ? { ...entry, text } : entry));
  const found = files.files.some((file) => isIt(file.name)) || (overlay?.entries ?? []).some((entry) => 'text' in entry && isIt(entry.path));
  if (!found) throw new IngotError('internal', 'answers-unplaced', `No file of this installer is called ${name}`);
  return { ...files, files: own, ...(overlay === undefined || entries === undefined ? {} : { overlay: { ...overlay, entries } }) };
}

import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import { IngotError, type Problem } from './errors.ts';
import { readTextIfThere, replaceFile } from './files.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import { removeLeftovers } from './leftovers.ts';
import { takeLock } from './lock.ts';
import { settingNamed } from './settings-schema.ts';
import { projectProblem, settingsInvalid, unknownHint, valueProblem } from './settings-values.ts';

/** Whose file it is: that decides what it may set. */
export type FileLevel = 'user' | 'project';

/** Who may read the file: a user's may hold the password of a mirror, a project's is for everybody who has the project. */
const MODES: Readonly<Record<FileLevel, number>> = { user: 0o600, project: 0o644 };

/** The settings in the text of a file, and everything that is wrong with it, each at its line and column. Never throws. */
export function readSettingsText(
  text: string,
  file: string,
  level: FileLevel,
): { readonly values: Readonly<Record<string, unknown>>; readonly problems: readonly Problem[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): Pick<Problem, 'position'> => {
    const { line, col } = lines.linePos(offset);
    return { position: { file, line: Math.max(1, line), column: Math.max(1, col) } };
  };
  const problems: Problem[] = document.errors.map((error) => ({ message: error.message, ...at(error.pos[0]) }));
  const values: Record<string, unknown> = {};
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return { values, problems };
  if (!isMap(contents))
    return { values, problems: [...problems, { message: 'is not a list of settings, one `name: value` on each line', ...at(contents.range?.[0] ?? 0) }] };
  for (const { key, value } of contents.items) {
    const place = at(isScalar(key) ? (key.range?.[0] ?? 0) : (contents.range?.[0] ?? 0));
    const path = isScalar(key) ? String(key.value) : '';
    const name = settingNamed(path);
    if (name === undefined) {
      problems.push({ path, message: 'there is no such setting', hint: unknownHint(path), ...place });
    } else if (!isScalar(value) || value.value === null) {
      problems.push({ path, message: 'has no single value', ...place });
    } else {
      const problem = valueProblem(name, value.value) ?? (level === 'project' ? projectProblem(name, value.value) : undefined);
      if (problem === undefined) values[name] = value.value;
      else problems.push({ path, ...problem, ...at(value.range?.[0] ?? 0) });
    }
  }
  return { values, problems };
}

/** Sets a value, or takes it out (undefined), and keeps everything else in the file, comments too. Returns whether something changed. */
export async function changeSetting(
  host: Host,
  home: Home,
  target: { readonly file: string; readonly level: FileLevel },
  name: string,
  value: string | number | undefined,
): Promise<boolean> {
  await using _lock = await takeLock(host, home, 'settings', { what: 'change of settings' });
  await readyToReplace(host, target.file);
  const before = (await readTextIfThere(host.files, target.file)) ?? '';
  const after = changedText(before, target.file, name, value);
  if (after === before) return false;
  await replaceFile(host.files, target.file, after, MODES[target.level]);
  return true;
}

/** Removes what a killed writer left. Throws `settings-linked` for a link, which replacing would turn into a file of its own. */
async function readyToReplace(host: Host, file: string): Promise<void> {
  if ((await host.files.status(file))?.kind === 'link') {
    throw new IngotError('conflict', 'settings-linked', `${file} is a link to a file elsewhere`, {
      hint: 'Change that file with an editor; it is read as it is.',
    });
  }
  await removeLeftovers(host.files, file);
}

/** The text with one setting changed. Throws `settings-invalid` where it is no YAML, since then nothing can be kept. */
export function changedText(text: string, file: string, name: string, value: string | number | undefined): string {
  const document: Document = parseDocument(text, { prettyErrors: false });
  const { problems } = readSettingsText(text, file, 'user');
  if (document.errors.length > 0) throw settingsInvalid(problems);
  if (document.contents !== null && !isMap(document.contents) && !(isScalar(document.contents) && document.contents.value === null))
    throw settingsInvalid(problems);
  if (value === undefined) {
    if (!isMap(document.contents) || !document.delete(name)) return text;
    // A last setting that goes leaves no {} behind.
    if (document.contents.items.length === 0 && text.trim() !== '') document.contents = null;
  } else {
    if (isMap(document.contents) && document.get(name) === value) return text;
    if (!isMap(document.contents)) document.contents = document.createNode({});
    document.set(name, value);
  }
  return document.contents === null ? commentsOf(document) : document.toString({ lineWidth: 0 });
}

function commentsOf(document: Document): string {
  return [document.commentBefore, document.comment]
    .filter((comment) => comment !== null && comment !== undefined)
    .flatMap((comment) => comment.split('\n').map((line) => `#${line}\n`))
    .join('');
}

/** Puts an edited text in the place of a file, if that is still as it was. Throws `settings-changed` where it is not, `settings-invalid`. */
export async function replaceSettings(
  host: Host,
  home: Home,
  target: { readonly file: string; readonly level: FileLevel },
  before: string,
  after: string,
): Promise<void> {
  const { problems } = readSettingsText(after, target.file, target.level);
  if (problems.length > 0) throw settingsInvalid(problems);
  await using _lock = await takeLock(host, home, 'settings', { what: 'change of settings' });
  await readyToReplace(host, target.file);
  if (((await readTextIfThere(host.files, target.file)) ?? '') !== before) {
    throw new IngotError('conflict', 'settings-changed', `${target.file} was changed by another while it was edited; it is as the other left it`, {
      hint: 'Edit it again.',
    });
  }
  await replaceFile(host.files, target.file, after, MODES[target.level]);
}

import { isSeq } from 'yaml';
import type { AnswerProblem } from './answer-files.ts';
import { asks, inOrder, readJson, unknownKeys, type KeyedFile } from './check-helpers.ts';

/** Keys of Agama's schema (profile.schema.json), by section; sections without are not looked into. */
const KEYS = [
  '$schema', 'files', 'scripts', 'bootloader', 'dasd', 'zfcp', 'hostname', 'proxy', 'ntp', 'security', 'software', 'questions', 'product', 'network', 'user',
  'root', 'l10n', 'localization', 'storage', 'legacyAutoyastStorage', 'iscsi', 'access',
]; // prettier-ignore
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  scripts: ['pre', 'postPartitioning', 'post', 'init'],
  product: ['id', 'mode', 'registrationCode', 'registrationEmail', 'registrationUrl', 'addons'],
  user: ['fullName', 'userName', 'password', 'hashedPassword', 'sshPublicKey', 'sshPublicKeys'],
  root: ['password', 'hashedPassword', 'sshPublicKey', 'sshPublicKeys'],
  l10n: ['locale', 'keymap', 'timezone'],
  localization: ['language', 'keyboard', 'timezone'],
  network: ['state', 'connections'],
  storage: ['boot', 'drives', 'volumeGroups', 'mdRaids'],
  questions: ['policy', 'answers'],
  access: ['ssh', 'webConsole'],
};

/** Faults of a profile of Agama in JSON; one in Jsonnet is a program, and is not read. Pure. */
export function checkAgama(text: string): AnswerProblem[] {
  const file: KeyedFile = readJson(text);
  const { root } = file;
  if (root === undefined) return file.problems;
  const problems = [...file.problems, ...unknownKeys(file, root, KEYS)];
  for (const [section, keys] of Object.entries(SECTIONS)) problems.push(...unknownKeys(file, root.get(section), keys));
  const place = (...path: string[]): { line: number; column: number } => file.placeOf(root.getIn(path, true));
  if (!root.hasIn(['product', 'id'])) problems.push(asks('no product is named', 'Write product with its id.', place('product')));
  if (!root.has('root') && !root.has('user')) problems.push(asks('nobody can log in', 'Write root, or user, with a password or a key.'));
  for (const key of ['fullName', 'userName', 'password']) {
    if (root.has('user') && !root.hasIn(['user', key])) problems.push({ class: 'value', message: `user needs ${key}`, ...place('user') });
  }
  if (root.getIn(['questions', 'policy']) === 'user') problems.push(asks('questions are asked', 'Set questions.policy to auto.', place('questions', 'policy')));
  const scripts = root.get('scripts');
  for (const kind of ['pre', 'postPartitioning', 'post', 'init']) {
    const list = root.getIn(['scripts', kind], true);
    if (scripts !== undefined && list !== undefined && !isSeq(list))
      problems.push({ class: 'value', message: `scripts.${kind} is a list`, ...place('scripts', kind) });
  }
  return inOrder(problems);
}

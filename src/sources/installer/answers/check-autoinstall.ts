import { isMap, isSeq } from 'yaml';
import type { AnswerProblem } from './answer-files.ts';
import { asks, inOrder, pairsOf, readYaml, unknownKeys } from './check-helpers.ts';

/** Keys of subiquity's schema (autoinstall-schema.json), with what older and desktop versions know. */
const KEYS = [
  'version', 'early-commands', 'reporting', 'error-commands', 'user-data', 'packages', 'debconf-selections', 'locale', 'refresh-installer', 'kernel',
  'keyboard', 'source', 'network', 'proxy', 'apt', 'storage', 'identity', 'ssh', 'snaps', 'timezone', 'codecs', 'drivers', 'oem', 'updates', 'late-commands',
  'shutdown', 'interactive-sections', 'active-directory', 'ubuntu-advantage', 'ubuntu-pro', 'zdevs', 'kernel-crash-dumps', 'network-manager', 'mirror',
]; // prettier-ignore

/** Faults of an autoinstall file, alone (`autoinstall.yaml`) or in user-data. Pure. */
export function checkAutoinstall(text: string): AnswerProblem[] {
  const file = readYaml(text);
  const { root } = file;
  // What cannot be read is not looked into.
  if (root === undefined || file.problems.length > 0) return file.problems;
  const problems: AnswerProblem[] = [];
  const inside = pairsOf(root).find(({ key }) => key === 'autoinstall');
  const section = inside?.pair.value ?? root;
  if (inside !== undefined && !text.startsWith('#cloud-config')) {
    problems.push({ class: 'syntax', message: 'cloud-init reads no user-data whose first line is not #cloud-config', line: 1, column: 1 });
  }
  if (!isMap(section)) return [...problems, { class: 'value', message: 'autoinstall has no keys', ...file.placeOf(inside?.pair.key) }];
  const place = file.placeOf(inside?.pair.key ?? section);
  problems.push(...unknownKeys(file, section, KEYS));
  const at = (...path: string[]): unknown => section.getIn(path, true);
  if (section.get('version') !== 1)
    problems.push({ class: 'value', message: 'version has to be 1', ...(section.has('version') ? file.placeOf(at('version')) : place) });
  if (!section.has('identity') && !section.has('user-data')) problems.push(asks('no user is named', 'Write identity, or user-data with users.', place));
  for (const key of ['username', 'hostname', 'password']) {
    if (section.has('identity') && !section.hasIn(['identity', key]))
      problems.push(asks(`identity has no ${key}`, 'It needs username, hostname and password.', file.placeOf(at('identity'))));
  }
  const interactive = at('interactive-sections');
  if (isSeq(interactive) && interactive.items.length > 0) problems.push(asks('interactive-sections are asked', 'Leave them out.', file.placeOf(interactive)));
  if (section.has('keyboard') && !section.hasIn(['keyboard', 'layout']))
    problems.push({ class: 'value', message: 'keyboard needs a layout', ...file.placeOf(at('keyboard')) });
  const shutdown = section.get('shutdown');
  if (shutdown !== 'poweroff') problems.push(ends('autoinstall ends with a reboot', 'Write shutdown: poweroff.', file.placeOf(at('shutdown') ?? section)));
  return inOrder(problems);
}

/** ingot waits until the machine is off. */
function ends(message: string, hint: string, place: { line: number; column: number }): AnswerProblem {
  return { class: 'value', message, hint, ...place };
}

import type { AnswerProblem } from './answer-files.ts';
import { asks, inOrder, readJson, unknownKeys } from './check-helpers.ts';

/** Keys of archinstall's configuration and credentials (2.5 to 4.5). */
const KEYS = [
  'version', 'script', 'config_version', 'locale_config', 'archinstall-language', 'disk_config', 'disk_encryption', 'profile_config', 'mirror_config',
  'network_config', 'bootloader', 'bootloader_config', 'uki', 'app_config', 'audio_config', 'auth_config', 'swap', 'hostname', 'kernels', 'firmware_optdeps',
  'ntp', 'timezone', 'services', 'packages', 'pacman_config', 'parallel_downloads', 'custom_commands', 'additional-repositories', 'debug', 'offline',
  'no_pkg_lookups', 'silent', 'dry_run', 'skip_ntp', 'plugin', 'save_config', '!users', 'users', '!root-password', 'root_enc_password', 'encryption_password',
]; // prettier-ignore
const LAYOUTS = ['default_layout', 'manual_partitioning', 'pre_mounted_config'];

/** Faults of user_configuration.json; credentials may be in it or beside it, so nobody is missed. Pure. */
export function checkArchinstall(text: string): AnswerProblem[] {
  const file = readJson(text);
  const { root } = file;
  if (root === undefined) return file.problems;
  const problems = [...file.problems, ...unknownKeys(file, root, KEYS)];
  const credentials = ['users', '!users', 'root_enc_password', '!root-password', 'encryption_password'];
  if (root.items.length > 0 && root.items.every(({ key }) => credentials.includes(String(key)))) return inOrder(problems);
  const layout = root.getIn(['disk_config', 'config_type']);
  if (!root.has('disk_config')) problems.push(asks('no disk is named', 'Write disk_config.'));
  else if (typeof layout !== 'string' || !LAYOUTS.includes(layout)) {
    problems.push({
      class: 'value',
      message: `disk_config.config_type is ${LAYOUTS.join(', ')}`,
      ...file.placeOf(root.getIn(['disk_config', 'config_type'], true) ?? root.get('disk_config', true)),
    });
  }
  if (!root.has('bootloader_config') && !root.has('bootloader'))
    problems.push({ class: 'value', message: 'no boot loader is installed', hint: 'Write bootloader_config.', line: 1, column: 1 });
  return inOrder(problems);
}

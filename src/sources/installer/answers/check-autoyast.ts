import type { AnswerProblem } from './answer-files.ts';
import { asks, inOrder, unknownWord } from './check-helpers.ts';
import { XmlError, parseXml, xmlAt, xmlText, type XmlElement } from './xml.ts';

/** Sections of a profile (SLES 15, Leap 15), with those that are known and ignored. */
const SECTIONS = [
  'add-on', 'audit-laf', 'auth-client', 'bootloader', 'ca_mgm', 'cobbler', 'configuration_management', 'deploy_image', 'dhcp-server', 'dns-server', 'fcoe-client',
  'files', 'firewall', 'firstboot', 'ftp-server', 'general', 'groups', 'host', 'http-server', 'inetd', 'iscsi-client', 'kdump', 'keyboard', 'language', 'ldap',
  'login_settings', 'mail', 'networking', 'nfs', 'nfs_server', 'nis', 'nis_server', 'ntp-client', 'partitioning', 'partitioning_advanced', 'printer', 'proxy',
  'report', 'rules', 'samba-client', 'samba-server', 'scripts', 'security', 'services-manager', 'software', 'sound', 'squid', 'ssh_import', 'sshd',
  'suse_register', 'sysconfig', 'tftp-server', 'timezone', 'upgrade', 'user_defaults', 'users', 'x11', 'zfcp', 'dasd', 'classes',
]; // prettier-ignore

/** Faults of an AutoYaST profile. Pure. */
export function checkAutoyast(text: string): AnswerProblem[] {
  let profile: XmlElement;
  try {
    profile = parseXml(text);
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
    return [{ class: 'syntax', message: error.message, line: error.line, column: error.column }];
  }
  if (profile.name !== 'profile')
    return [unknownWord('the root element', profile.name, ['profile'], profile)].map(({ class: kind, message, line, column }) => ({
      class: kind,
      message,
      line,
      column,
    }));
  const problems: AnswerProblem[] = profile.children
    .filter(({ name }) => !SECTIONS.includes(name))
    .map((child) => unknownWord('the section', child.name, SECTIONS, { line: child.line, column: child.column }));
  const { line, column } = profile;
  if (profile.attributes['xmlns'] !== 'http://www.suse.com/1.0/yast2ns') {
    problems.push({ class: 'value', message: 'the namespace of the profile is http://www.suse.com/1.0/yast2ns', line, column });
  }
  const mode = xmlAt(profile, 'general', 'mode');
  const place = { line: (mode ?? profile).line, column: (mode ?? profile).column };
  if (xmlText(mode, 'confirm') !== 'false') problems.push(asks('the proposal is shown and waits', 'Set general/mode/confirm to false.', place));
  if (xmlText(mode, 'halt') !== 'true' && xmlText(mode, 'final_halt') !== 'true') {
    problems.push({ class: 'value', message: 'the machine does not go off at the end', hint: 'Set general/mode/halt to true.', ...place });
  }
  const users = xmlAt(profile, 'users');
  if (users === undefined || !users.children.some((user) => xmlText(user, 'user_password') !== undefined || xmlAt(user, 'authorized_keys') !== undefined)) {
    problems.push(asks('nobody can log in', 'Name root, or a user, with user_password.', { line: (users ?? profile).line, column: (users ?? profile).column }));
  }
  for (const type of ['errors', 'warnings', 'messages', 'yesno_messages']) {
    const report = xmlAt(profile, 'report', type);
    if (report !== undefined && xmlText(report, 'timeout') === '0' && xmlText(report, 'show') !== 'false') {
      problems.push(asks(`${type} wait for a key`, 'Give them a timeout, or do not show them.', { line: report.line, column: report.column }));
    }
  }
  return inOrder(problems);
}

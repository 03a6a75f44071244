import type { AnswerProblem } from './answer-files.ts';
import { asks, inOrder, unknownWord } from './check-helpers.ts';

const TYPES = ['string', 'boolean', 'select', 'multiselect', 'note', 'text', 'password', 'error', 'title', 'entropy'];
/** Questions of the Debian installer that files commonly answer: what a mistyped one is compared with. Its parts have many more. */
const QUESTIONS = [
  'debian-installer/locale', 'debian-installer/language', 'debian-installer/country', 'localechooser/supported-locales', 'keyboard-configuration/xkb-keymap',
  'keyboard-configuration/toggle', 'netcfg/enable', 'netcfg/choose_interface', 'netcfg/disable_autoconfig', 'netcfg/disable_dhcp', 'netcfg/get_ipaddress',
  'netcfg/get_netmask', 'netcfg/get_gateway', 'netcfg/get_nameservers', 'netcfg/confirm_static', 'netcfg/get_hostname', 'netcfg/get_domain', 'netcfg/hostname',
  'netcfg/link_wait_timeout', 'netcfg/dhcp_timeout', 'netcfg/wireless_wep', 'hw-detect/load_firmware', 'mirror/country', 'mirror/protocol',
  'mirror/http/hostname', 'mirror/http/directory', 'mirror/http/proxy', 'mirror/https/hostname', 'mirror/https/directory', 'mirror/https/proxy',
  'mirror/suite', 'passwd/root-login', 'passwd/make-user', 'passwd/root-password', 'passwd/root-password-again', 'passwd/root-password-crypted',
  'passwd/user-fullname', 'passwd/username', 'passwd/user-password', 'passwd/user-password-again', 'passwd/user-password-crypted', 'passwd/user-uid',
  'passwd/user-default-groups', 'clock-setup/utc', 'clock-setup/ntp', 'clock-setup/ntp-server', 'time/zone', 'partman-auto/disk', 'partman-auto/method',
  'partman-auto/choose_recipe', 'partman-auto/expert_recipe', 'partman-auto/expert_recipe_file', 'partman-auto-lvm/guided_size', 'partman-lvm/confirm',
  'partman-lvm/confirm_nooverwrite', 'partman-lvm/device_remove_lvm', 'partman-md/device_remove_md', 'partman-partitioning/confirm_write_new_label',
  'partman/choose_partition', 'partman/confirm', 'partman/confirm_nooverwrite', 'partman/mount_style', 'partman/early_command', 'partman-efi/non_efi_system',
  'partman-basicfilesystems/no_swap', 'partman-partitioning/default_label', 'partman-partitioning/choose_label', 'partman-basicfilesystems/choose_label',
  'partman-basicfilesystems/default_label', 'partman/choose_label', 'partman/default_label', 'partman-auto/init_automatically_partition', 'apt-setup/use_mirror', 'base-installer/install-recommends', 'base-installer/kernel/image',
  'apt-setup/non-free-firmware', 'apt-setup/non-free', 'apt-setup/contrib', 'apt-setup/disable-cdrom-entries', 'apt-setup/services-select',
  'apt-setup/security_host', 'apt-setup/cdrom/set-first', 'pkgsel/include', 'pkgsel/upgrade', 'pkgsel/run_tasksel', 'pkgsel/update-policy',
  'grub-installer/skip', 'grub-installer/only_debian', 'grub-installer/with_other_os', 'grub-installer/bootdev', 'grub-installer/force-efi-extra-removable',
  'debian-installer/add-kernel-opts', 'finish-install/reboot_in_progress', 'finish-install/keep-consoles', 'cdrom-detect/eject', 'debian-installer/exit/halt',
  'debian-installer/exit/poweroff', 'preseed/early_command', 'preseed/late_command', 'preseed/run', 'preseed/include',
]; // prettier-ignore

interface Answered {
  readonly type: string;
  readonly value: string;
  readonly line: number;
}

/** Faults of a preseed file. Pure. */
export function checkPreseed(text: string): AnswerProblem[] {
  const problems: AnswerProblem[] = [];
  const said = new Map<string, Answered>();
  for (const { line, content } of joinedLines(text)) {
    if (/^\s*(#.*)?$/.test(content)) continue;
    const found = /^\s*(\S+)[ \t]+(\S+)[ \t]+(\S+)(?:[ \t](.*))?$/.exec(content);
    if (found === null) {
      problems.push({
        class: 'syntax',
        message: 'a line is an owner, a question, its type and the answer',
        hint: 'For example d-i time/zone string UTC.',
        line,
        column: 1,
      });
      continue;
    }
    const [, owner = '', question = '', type = '', value = ''] = found;
    if (!TYPES.includes(type))
      problems.push(unknownWord('the type', type, TYPES, { line, column: content.indexOf(type, content.indexOf(question) + question.length) + 1 }));
    if (!question.includes('/')) problems.push({ class: 'syntax', message: `"${question}" is no question`, line, column: content.indexOf(question) + 1 });
    if (type === 'boolean' && value !== 'true' && value !== 'false') {
      problems.push({ class: 'value', message: `${question} is true or false, not "${value}"`, line, column: content.length - value.length + 1 });
    }
    const mistyped =
      owner === 'd-i' && !QUESTIONS.includes(question)
        ? unknownWord('the question', question, closeTo(question), { line, column: content.indexOf(question) + 1 })
        : undefined;
    if (mistyped?.hint !== undefined) problems.push(mistyped);
    if (question.startsWith('partman-auto/') && value === '' && type === 'string')
      problems.push({ class: 'value', message: `${question} has no answer`, line, column: 1 });
    said.set(question, { type, value, line });
  }
  return inOrder([...problems, ...questions(said)]);
}

/** Names of the same part, since others are too many to be all known. */
function closeTo(question: string): string[] {
  const [part] = question.split('/');
  return QUESTIONS.filter((known) => known.split('/')[0] === part && Math.abs(known.length - question.length) <= 2);
}

/** Lines that a backslash continues are one, where the first begins. */
function joinedLines(text: string): { readonly line: number; readonly content: string }[] {
  const joined: { line: number; content: string }[] = [];
  let open = false;
  for (const [i, raw] of text.split('\n').entries()) {
    const last = joined.at(-1);
    const continues = raw.endsWith('\\');
    const content = continues ? raw.slice(0, -1) : raw;
    if (open && last !== undefined) last.content += content.trimStart() === content ? content : ` ${content.trimStart()}`;
    else joined.push({ line: i + 1, content });
    open = continues;
  }
  return joined;
}

function questions(said: ReadonlyMap<string, Answered>): AnswerProblem[] {
  const answered = (...names: string[]): boolean => names.some((name) => said.has(name));
  const yes = (name: string): boolean => said.get(name)?.value === 'true';
  const no = (name: string): boolean => said.get(name)?.value === 'false';
  const hasRoot = no('passwd/root-login') || answered('passwd/root-password', 'passwd/root-password-crypted');
  const hasUser = no('passwd/make-user') || (answered('passwd/username') && answered('passwd/user-password', 'passwd/user-password-crypted'));
  const divides = answered('partman-auto/method', 'partman-auto/expert_recipe', 'partman-auto/init_automatically_partition');
  return [
    ...(answered('debian-installer/locale', 'debian-installer/language') ? [] : [asks('no language is named', 'Answer debian-installer/locale.')]),
    ...(answered('keyboard-configuration/xkb-keymap') ? [] : [asks('no keyboard is named', 'Answer keyboard-configuration/xkb-keymap.')]),
    ...(answered('mirror/country', 'mirror/http/hostname', 'mirror/https/hostname', 'apt-setup/use_mirror')
      ? []
      : [asks('no mirror is named', 'Answer mirror/country and mirror/http/hostname.')]),
    ...(hasRoot ? [] : [asks("root's password is not said", 'Answer passwd/root-password-crypted, or passwd/root-login with false.')]),
    ...(hasUser ? [] : [asks('the user is not said', 'Answer passwd/username and passwd/user-password-crypted, or passwd/make-user with false.')]),
    ...(answered('time/zone') ? [] : [asks('no time zone is named', 'Answer time/zone.')]),
    ...(divides ? [] : [asks('no disk is divided', 'Answer partman-auto/method and partman-auto/choose_recipe.')]),
    ...(divides && !yes('partman/confirm') ? [asks('partman asks before it writes', 'Answer partman/confirm with true.')] : []),
    ...(divides && !yes('partman/confirm_nooverwrite') ? [asks('partman asks before it formats', 'Answer partman/confirm_nooverwrite with true.')] : []),
    ...(divides && !answered('partman/choose_partition')
      ? [asks('partman waits with its list of partitions', 'Answer partman/choose_partition with finish.')]
      : []),
    ...(answered('finish-install/reboot_in_progress') ? [] : [asks('the last message waits for a key', 'Write d-i finish-install/reboot_in_progress note.')]),
    ...(answered('grub-installer/bootdev', 'grub-installer/skip')
      ? []
      : [asks('where the boot loader goes is not said', 'Answer grub-installer/bootdev with default.')]),
    ...(yes('debian-installer/exit/poweroff')
      ? []
      : [
          {
            class: 'value' as const,
            message: 'the machine does not go off at the end',
            hint: 'Answer debian-installer/exit/poweroff with true.',
            line: 1,
            column: 1,
          },
        ]),
  ];
}

import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkPreseed } from './check-preseed.ts';
import type { InstallFacts } from './facts.ts';
import { NO_PASSWORD, finishScript, readFinishScript } from './finish-script.ts';
import { withNetmask, withPrefix } from './ipv4.ts';

/*
 * The Debian installer, 11 and later: answers of debconf, a line each; a value is the rest of its line, as it stands.
 * https://www.debian.org/releases/stable/amd64/apb.en.html
 */

const NAME = 'preseed.cfg';
const FINISH = 'finish.sh';
/** Installed besides what the facts ask for. */
const PACKAGES = ['openssh-server', 'sudo'];
const DEBIAN = 'http://deb.debian.org/debian';
/** What the distribution's own mirror is, where none is named. */
const MIRRORS: Readonly<Record<string, string>> = {
  debian: DEBIAN,
  devuan: 'http://deb.devuan.org/merged',
  kali: 'http://http.kali.org/kali',
};

type Answer = readonly [question: string, type: 'string' | 'boolean' | 'select' | 'multiselect' | 'note' | 'password', value: string, owner?: string];

export const preseed: AnswerFormat = {
  write: (facts) => ({
    files: [
      { name: NAME, text: `# Made by ingot.\n${answers(facts).map(line).join('')}` },
      { name: FINISH, text: finishScript({ users: facts.users, lateCommands: facts.lateCommands }) },
    ],
    fetchedFirst: NAME,
    delivery: { http: (baseUrl) => [...beforeTheFile(facts), `url=${servedAt(baseUrl, NAME)}`] },
  }),

  read(files, release) {
    const said = new Map(
      textOf(files, NAME)
        .split('\n')
        .filter((text) => text !== '' && !text.startsWith('#'))
        .map((text): [string, string] => {
          const [, question = '', , ...value] = text.split(' ');
          return [question, value.join(' ')];
        }),
    );
    const finish = readFinishScript(textOf(files, FINISH));
    const hash = said.get('passwd/root-password-crypted');
    const [host, domain] = [said.get('netcfg/get_hostname') ?? '', said.get('netcfg/get_domain') ?? ''];
    const protocol = said.get('mirror/protocol') ?? 'http';
    const mirror = `${protocol}://${said.get(`mirror/${protocol}/hostname`) ?? ''}${said.get(`mirror/${protocol}/directory`) ?? ''}`.replace(/\/$/, '');
    return {
      release,
      hostname: domain === '' ? host : `${host}.${domain}`,
      locale: said.get('debian-installer/locale'),
      keyboard: said.get('keyboard-configuration/xkb-keymap'),
      timezone: said.get('time/zone'),
      disk: readDisk(said),
      users: finish.users,
      rootPasswordHash: hash === NO_PASSWORD ? undefined : hash,
      packages: (said.get('pkgsel/include') ?? '').split(' ').slice(PACKAGES.length),
      network: readNetwork(said),
      mirror: mirror === (MIRRORS[release.distribution] ?? DEBIAN) ? undefined : mirror,
      proxy: said.get(`mirror/${protocol}/proxy`) === '' ? undefined : said.get(`mirror/${protocol}/proxy`),
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkPreseed,
};

function line([question, type, value, owner = 'd-i']: Answer): string {
  return `${owner} ${question} ${type}${value === '' && type !== 'string' ? '' : ` ${value}`}\n`;
}

/** What is asked before there is a network to fetch the file by, as arguments of the kernel; `auto` puts off the rest. */
function beforeTheFile({ hostname, network, locale, keyboard }: InstallFacts): string[] {
  const [host = '', domain] = splitHost(hostname);
  return [
    'auto=true',
    'priority=critical',
    `locale=${locale}`,
    `keyboard-configuration/xkb-keymap=${keyboard}`,
    `hostname=${host}`,
    `domain=${domain}`,
    ...networkAnswers(network).map(([question, , value]) => `${question}=${value.replaceAll(' ', ',')}`),
  ];
}

function splitHost(hostname: string): [string, string] {
  const dot = hostname.indexOf('.');
  return dot === -1 ? [hostname, ''] : [hostname.slice(0, dot), hostname.slice(dot + 1)];
}

function networkAnswers(network: InstallFacts['network']): Answer[] {
  if (network.kind === 'dhcp') return [['netcfg/choose_interface', 'select', 'auto']];
  const { ip, netmask } = withNetmask(network.address);
  return [
    ['netcfg/choose_interface', 'select', 'auto'],
    ['netcfg/disable_autoconfig', 'boolean', 'true'],
    ['netcfg/get_ipaddress', 'string', ip],
    ['netcfg/get_netmask', 'string', netmask],
    ['netcfg/get_gateway', 'string', network.gateway],
    ['netcfg/get_nameservers', 'string', network.nameservers.join(' ')],
    ['netcfg/confirm_static', 'boolean', 'true'],
  ];
}

function readNetwork(said: ReadonlyMap<string, string>): unknown {
  if (said.get('netcfg/disable_autoconfig') !== 'true') return { kind: 'dhcp' };
  return {
    kind: 'static',
    address: withPrefix(said.get('netcfg/get_ipaddress') ?? '', said.get('netcfg/get_netmask') ?? ''),
    gateway: said.get('netcfg/get_gateway'),
    nameservers: said.get('netcfg/get_nameservers')?.split(' '),
  };
}

function answers(facts: InstallFacts): Answer[] {
  const { release, hostname, locale, keyboard, timezone, rootPasswordHash, packages, proxy, subscription, disk } = facts;
  if (subscription !== undefined) throw unsupported('preseed', `a subscription of ${subscription.kind}`);
  const [host, domain] = splitHost(hostname);
  const mirror = addressOf(facts.mirror ?? MIRRORS[release.distribution] ?? DEBIAN);
  const { protocol } = mirror;
  return [
    ['debian-installer/locale', 'string', locale],
    ['keyboard-configuration/xkb-keymap', 'select', keyboard],
    ...networkAnswers(facts.network),
    ['netcfg/get_hostname', 'string', host],
    ['netcfg/get_domain', 'string', domain],
    ['hw-detect/load_firmware', 'boolean', 'false'],
    ['mirror/country', 'string', 'manual'],
    ['mirror/protocol', 'select', protocol],
    [`mirror/${protocol}/hostname`, 'string', mirror.host],
    [`mirror/${protocol}/directory`, 'string', mirror.directory],
    [`mirror/${protocol}/proxy`, 'string', proxy ?? ''],
    ['passwd/root-login', 'boolean', 'true'],
    ['passwd/root-password-crypted', 'password', rootPasswordHash ?? NO_PASSWORD],
    ['passwd/make-user', 'boolean', 'false'],
    ['clock-setup/utc', 'boolean', 'true'],
    ['time/zone', 'string', timezone],
    ['clock-setup/ntp', 'boolean', 'true'],
    ...diskAnswers(disk),
    ['base-installer/install-recommends', 'boolean', 'true'],
    ['apt-setup/cdrom/set-first', 'boolean', 'false'],
    ['apt-setup/non-free-firmware', 'boolean', 'false'],
    ['tasksel/first', 'multiselect', '', 'tasksel'],
    ['pkgsel/include', 'string', [...PACKAGES, ...packages].join(' ')],
    ['pkgsel/upgrade', 'select', 'none'],
    ['popularity-contest/participate', 'boolean', 'false', 'popularity-contest'],
    ['grub-installer/only_debian', 'boolean', 'true'],
    ['grub-installer/with_other_os', 'boolean', 'true'],
    ['grub-installer/bootdev', 'string', disk.device === 'first' ? 'default' : disk.device],
    ['grub-installer/force-efi-extra-removable', 'boolean', String(disk.firmware === 'uefi')],
    ['debian-installer/add-kernel-opts', 'string', 'console=tty0 console=ttyS0'],
    ['preseed/late_command', 'string', `preseed_fetch ${FINISH} /target/root/${FINISH} && in-target sh /root/${FINISH} && rm /target/root/${FINISH}`],
    ['cdrom-detect/eject', 'boolean', 'false'],
    ['finish-install/reboot_in_progress', 'note', ''],
    ['debian-installer/exit/poweroff', 'boolean', 'true'],
  ];
}

/** Parts of an address as they are written, which `URL` would change. */
function addressOf(address: string): { readonly protocol: string; readonly host: string; readonly directory: string } {
  const [, protocol = 'http', host = '', directory = ''] = /^(https?):\/\/([^/]*)(\/.*)?$/.exec(address) ?? [];
  return { protocol, host, directory: directory === '' ? '/' : directory };
}

function diskAnswers({ device, firmware, filesystem, swap }: InstallFacts['disk']): Answer[] {
  const part = (sizes: string, ...words: string[]): string => `${sizes} ${words.join(' ')} .`;
  const recipe = [
    'ingot ::',
    firmware === 'bios'
      ? part('1 1 1 free', '$iflabel{ gpt }', 'method{ biosgrub }')
      : part('512 512 512 free', '$iflabel{ gpt }', 'method{ efi }', 'format{ }'),
    ...(swap === undefined ? [] : [part(`${swap} ${swap} ${swap} linux-swap`, '$primary{ }', 'method{ swap }', 'format{ }')]),
    part(`1024 10000 -1 ${filesystem}`, '$primary{ }', 'method{ format }', 'format{ }', 'use_filesystem{ }', `filesystem{ ${filesystem} }`, 'mountpoint{ / }'),
  ].join(' ');
  return [
    device === 'first'
      ? ['partman/early_command', 'string', 'debconf-set partman-auto/disk "$(list-devices disk | head -n1)"']
      : ['partman-auto/disk', 'string', device],
    ['partman-auto/method', 'string', 'regular'],
    ['partman-partitioning/default_label', 'string', 'gpt'],
    ['partman-partitioning/choose_label', 'string', 'gpt'],
    ['partman-auto/expert_recipe', 'string', recipe],
    ['partman-auto/choose_recipe', 'select', 'ingot'],
    ['partman-basicfilesystems/no_swap', 'boolean', 'false'],
    ['partman-efi/non_efi_system', 'boolean', 'true'],
    ['partman-lvm/device_remove_lvm', 'boolean', 'true'],
    ['partman-md/device_remove_md', 'boolean', 'true'],
    ['partman-partitioning/confirm_write_new_label', 'boolean', 'true'],
    ['partman/mount_style', 'select', 'uuid'],
    ['partman/choose_partition', 'select', 'finish'],
    ['partman/confirm', 'boolean', 'true'],
    ['partman/confirm_nooverwrite', 'boolean', 'true'],
  ];
}

function readDisk(said: ReadonlyMap<string, string>): unknown {
  const recipe = said.get('partman-auto/expert_recipe') ?? '';
  const [, filesystem] = /filesystem\{ (\w+) \} mountpoint\{ \/ \}/.exec(recipe) ?? [];
  const [, swap] = /(\d+) linux-swap/.exec(recipe) ?? [];
  if (filesystem === undefined) throw unreadable('its recipe has no root');
  return {
    device: said.get('partman-auto/disk') ?? 'first',
    firmware: recipe.includes('method{ efi }') ? 'uefi' : 'bios',
    filesystem,
    swap: swap === undefined ? undefined : Number(swap),
  };
}

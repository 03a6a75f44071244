import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkAutoyast } from './check-autoyast.ts';
import type { InstallFacts, InstallUser } from './facts.ts';
import { NO_PASSWORD, readFinishScript, shortFinishScript } from './finish-script.ts';
import { parseXml, xmlAt, xmlLines, xmlScript, xmlText, type XmlElement } from './xml.ts';

/*
 * AutoYaST, of SLES 15 and openSUSE Leap 15.
 * https://doc.opensuse.org/projects/autoyast/
 */

const NAME = 'autoinst.xml';
/** Installed besides what the facts ask for. */
const PACKAGES = ['openssh', 'sudo'];

/** What the medium holds several of: the one that is installed. */
const PRODUCTS: Readonly<Record<string, string>> = { sles: 'SLES', 'opensuse-leap': 'Leap' };
/** Number of a partition's kind, as YaST calls them. */
const PARTITION_ID = { efi: '259', bios: '263' } as const;

export const autoyast: AnswerFormat = {
  write: (facts) => ({
    files: [{ name: NAME, text: text(facts) }],
    fetchedFirst: NAME,
    delivery: {
      http: (baseUrl) => [`autoyast=${servedAt(baseUrl, NAME)}`, ...networkArguments(facts), 'textmode=1'],
      disk: { label: 'OEMDRV', kernelArguments: [`autoyast=label://OEMDRV/${NAME}`, ...networkArguments(facts), 'textmode=1'] },
    },
  }),

  read(files, release) {
    const profile = parseXml(textOf(files, NAME));
    const list = (...path: string[]): readonly XmlElement[] => xmlAt(profile, ...path)?.children ?? [];
    const finish = readFinishScript(xmlText(xmlAt(profile, 'scripts', 'chroot-scripts')?.children[0], 'source') ?? '');
    const users = list('users').map((user) => readUser(user, finish.allowed));
    const root = users.find(({ name }) => name === 'root');
    const static0 = xmlAt(profile, 'networking', 'interfaces')?.children[0];
    const register = xmlAt(profile, 'suse_register');
    return {
      release,
      hostname: [xmlText(profile, 'networking', 'dns', 'hostname'), xmlText(profile, 'networking', 'dns', 'domain')]
        .filter((part) => part !== undefined)
        .join('.'),
      locale: xmlText(profile, 'language', 'language'),
      keyboard: xmlText(profile, 'keyboard', 'keymap'),
      timezone: xmlText(profile, 'timezone', 'timezone'),
      disk: readDrive(xmlAt(profile, 'partitioning')?.children[0]),
      users: users.filter((user) => user !== root),
      rootPasswordHash: root?.passwordHash,
      packages: list('software', 'packages')
        .slice(PACKAGES.length)
        .map(({ text: name }) => name),
      network:
        xmlText(static0, 'bootproto') === 'dhcp'
          ? { kind: 'dhcp' }
          : {
              kind: 'static',
              address: `${xmlText(static0, 'ipaddr') ?? ''}/${xmlText(static0, 'prefixlen') ?? ''}`,
              gateway: xmlText(list('networking', 'routing', 'routes')[0], 'gateway'),
              nameservers: list('networking', 'dns', 'nameservers').map(({ text: server }) => server),
            },
      mirror: xmlText(list('add-on', 'add_on_others')[0], 'media_url'),
      proxy: xmlText(profile, 'proxy', 'http_proxy'),
      subscription:
        xmlText(register, 'do_registration') === 'true'
          ? { kind: 'suse', registrationCode: xmlText(register, 'reg_code'), email: xmlText(register, 'email') }
          : undefined,
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkAutoyast,
};

/** The installer's first part, which fetches the file, sets up a network of its own. */
function networkArguments({ network }: InstallFacts): string[] {
  if (network.kind === 'dhcp') return ['ifcfg=*=dhcp'];
  const { address, gateway, nameservers } = network;
  return [`ifcfg=*=${address},${gateway},${nameservers[0] ?? ''}`];
}

const flag = (name: string, value: boolean): string[] => xmlLines(name, String(value), 'boolean');
const entries = (name: string, items: readonly (readonly string[])[]): string[] =>
  xmlLines(
    name,
    items.flatMap((item) => xmlLines('listentry', item)),
    'list',
  );

function text(facts: InstallFacts): string {
  const { locale, keyboard, timezone, mirror, proxy, packages, release, users, rootPasswordHash } = facts;
  const product = PRODUCTS[release.distribution];
  const sections = [
    ...registration(facts),
    ...xmlLines('general', xmlLines('mode', [...flag('confirm', false), ...flag('second_stage', false), ...flag('halt', true)])),
    ...(mirror === undefined
      ? []
      : xmlLines('add-on', entries('add_on_others', [[...xmlLines('alias', 'mirror'), ...xmlLines('name', 'mirror'), ...xmlLines('media_url', mirror)]]))),
    ...(proxy === undefined ? [] : xmlLines('proxy', [...flag('enabled', true), ...xmlLines('http_proxy', proxy), ...xmlLines('https_proxy', proxy)])),
    ...xmlLines('language', xmlLines('language', locale)),
    ...xmlLines('keyboard', xmlLines('keymap', keyboard)),
    ...xmlLines('timezone', [...xmlLines('hwclock', 'UTC'), ...xmlLines('timezone', timezone)]),
    ...networking(facts),
    ...xmlLines('bootloader', [
      ...xmlLines('loader_type', facts.disk.firmware === 'bios' ? 'grub2' : 'grub2-efi'),
      ...xmlLines('global', [...xmlLines('append', 'console=tty0 console=ttyS0'), ...xmlLines('timeout', '1', 'integer')]),
    ]),
    ...partitioning(facts.disk),
    ...xmlLines('software', [
      ...(product === undefined ? [] : xmlLines('products', xmlLines('product', product), 'list')),
      ...xmlLines('patterns', xmlLines('pattern', 'minimal_base'), 'list'),
      ...xmlLines(
        'packages',
        [...PACKAGES, ...packages].flatMap((name) => xmlLines('package', name)),
        'list',
      ),
    ]),
    ...xmlLines('services-manager', [
      ...xmlLines('default_target', 'multi-user'),
      ...xmlLines('services', xmlLines('enable', xmlLines('service', 'sshd'), 'list')),
    ]),
    ...xmlLines('users', [userLines({ name: 'root', passwordHash: rootPasswordHash, sshKeys: [] }), ...users.map(userLines)].flat(), 'list'),
    ...xmlLines(
      'scripts',
      xmlLines(
        'chroot-scripts',
        xmlLines('script', [...xmlLines('filename', 'finish.sh'), ...flag('chrooted', true), ...xmlScript('source', shortFinishScript(facts))]),
        'list',
      ),
    ),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE profile>
<!-- Made by ingot. -->
<profile xmlns="http://www.suse.com/1.0/yast2ns" xmlns:config="http://www.suse.com/1.0/configns">
${sections.map((line) => `  ${line}\n`).join('')}</profile>
`;
}

function registration({ subscription }: InstallFacts): string[] {
  if (subscription === undefined) return [];
  if (subscription.kind !== 'suse') throw unsupported('autoyast', `a subscription of ${subscription.kind}`, 'SUSE knows suse: a registration code.');
  return xmlLines('suse_register', [
    ...flag('do_registration', true),
    ...(subscription.email === undefined ? [] : xmlLines('email', subscription.email)),
    ...xmlLines('reg_code', subscription.registrationCode),
    ...flag('install_updates', true),
  ]);
}

function networking({ network, hostname }: InstallFacts): string[] {
  const [host = '', ...domain] = hostname.split('.');
  const [address = '', prefix = ''] = network.kind === 'static' ? network.address.split('/') : [];
  return xmlLines('networking', [
    ...xmlLines('dns', [
      ...flag('dhcp_hostname', false),
      ...xmlLines('hostname', host),
      ...(domain.length === 0 ? [] : xmlLines('domain', domain.join('.'))),
      ...(network.kind === 'dhcp'
        ? []
        : xmlLines(
            'nameservers',
            network.nameservers.flatMap((server) => xmlLines('nameserver', server)),
            'list',
          )),
    ]),
    ...xmlLines(
      'interfaces',
      xmlLines('interface', [
        ...xmlLines('name', 'eth0'),
        ...xmlLines('bootproto', network.kind),
        ...(network.kind === 'dhcp' ? [] : [...xmlLines('ipaddr', address), ...xmlLines('prefixlen', prefix)]),
        ...xmlLines('startmode', 'auto'),
      ]),
      'list',
    ),
    ...(network.kind === 'dhcp'
      ? []
      : xmlLines(
          'routing',
          xmlLines(
            'routes',
            xmlLines('route', [
              ...xmlLines('destination', 'default'),
              ...xmlLines('gateway', network.gateway),
              ...xmlLines('netmask', '-'),
              ...xmlLines('device', '-'),
            ]),
            'list',
          ),
        )),
  ]);
}

function partitioning({ device, firmware, filesystem, swap }: InstallFacts['disk']): string[] {
  const partition = (...lines: (readonly string[])[]): string[] => xmlLines('partition', [...flag('create', true), ...lines.flat()]);
  const formatted = (type: string, mount: string): string[] => [
    ...flag('format', true),
    ...xmlLines('filesystem', type),
    ...xmlLines('mount', mount),
    ...xmlLines('mountby', 'uuid'),
  ];
  return xmlLines(
    'partitioning',
    xmlLines('drive', [
      ...(device === 'first' ? [] : xmlLines('device', device)),
      ...xmlLines('type', 'CT_DISK'),
      ...flag('initialize', true),
      ...xmlLines('disklabel', 'gpt'),
      ...xmlLines('use', 'all'),
      ...xmlLines(
        'partitions',
        [
          ...(firmware === 'bios'
            ? partition(flag('format', false), xmlLines('partition_id', PARTITION_ID.bios, 'integer'), xmlLines('size', '8M'))
            : partition(formatted('vfat', '/boot/efi'), xmlLines('partition_id', PARTITION_ID.efi, 'integer'), xmlLines('size', '512M'))),
          ...(swap === undefined ? [] : partition(formatted('swap', 'swap'), xmlLines('size', `${swap}M`))),
          ...partition(formatted(filesystem, '/'), xmlLines('size', 'max')),
        ],
        'list',
      ),
    ]),
    'list',
  );
}

function readDrive(drive: XmlElement | undefined): unknown {
  const partitions = xmlAt(drive, 'partitions')?.children ?? [];
  const on = (mount: string): XmlElement | undefined => partitions.find((one) => xmlText(one, 'mount') === mount);
  if (on('/') === undefined) throw unreadable('it has no root partition');
  const swap = xmlText(on('swap'), 'size');
  return {
    device: xmlText(drive, 'device') ?? 'first',
    firmware: on('/boot/efi') === undefined ? 'bios' : 'uefi',
    filesystem: xmlText(on('/'), 'filesystem'),
    swap: swap === undefined ? undefined : Number.parseInt(swap, 10),
  };
}

function userLines({
  name,
  fullName,
  passwordHash,
  sshKeys,
}: Pick<InstallUser, 'name' | 'fullName' | 'sshKeys'> & { passwordHash?: string | undefined }): string[] {
  return xmlLines('user', [
    ...xmlLines('username', name),
    ...(fullName === undefined ? [] : xmlLines('fullname', fullName)),
    ...flag('encrypted', true),
    ...xmlLines('user_password', passwordHash ?? NO_PASSWORD),
    ...(sshKeys.length === 0
      ? []
      : xmlLines(
          'authorized_keys',
          sshKeys.flatMap((key) => xmlLines('listentry', key)),
          'list',
        )),
  ]);
}

function readUser(
  user: XmlElement,
  allowed: ReadonlySet<string>,
): { name: string | undefined; fullName: string | undefined; passwordHash: string | undefined; sshKeys: string[]; sudo: boolean } {
  const name = xmlText(user, 'username');
  const hash = xmlText(user, 'user_password');
  return {
    name,
    fullName: xmlText(user, 'fullname'),
    passwordHash: hash === NO_PASSWORD ? undefined : hash,
    sshKeys: xmlAt(user, 'authorized_keys')?.children.map(({ text: key }) => key) ?? [],
    sudo: allowed.has(name ?? ''),
  };
}

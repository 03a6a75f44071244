import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkKickstart } from './check-kickstart.ts';
import type { InstallFacts, InstallRelease } from './facts.ts';
import { readFinishScript, shortFinishScript } from './finish-script.ts';
import { withNetmask, withPrefix } from './ipv4.ts';
import { commandOption, kickstartCommands, kickstartSection, type KickstartCommand } from './kickstart-lines.ts';
import { shellLine } from './shell-words.ts';

/*
 * Anaconda, of Fedora and of the RHEL family from 8 on. Lines of words, quoted as for the shell (Python's shlex reads them).
 * https://pykickstart.readthedocs.io/en/latest/kickstart-docs.html
 */

const NAME = 'ks.cfg';
/** How many keys of a user the installer is told; a script adds the others. */
const KEYS = 1;
/** Installed besides what the facts ask for. */
const PACKAGES = ['@core', 'openssh-server', 'sudo'];

export const kickstart: AnswerFormat = {
  write: (facts) => ({
    files: [{ name: NAME, text: text(facts) }],
    fetchedFirst: NAME,
    delivery: {
      http: (baseUrl) => ['inst.text', `inst.ks=${servedAt(baseUrl, NAME)}`],
      disk: { label: 'OEMDRV', kernelArguments: ['inst.text', `inst.ks=hd:LABEL=OEMDRV:/${NAME}`] },
    },
  }),

  read(files, release) {
    const whole = textOf(files, NAME);
    const commands = kickstartCommands(whole);
    const one = (name: string): KickstartCommand | undefined => commands.find((command) => command.name === name);
    const option = (name: string, key: string): string | undefined => commandOption(one(name), key);
    const finish = readFinishScript(kickstartSection(whole, '%post'));
    const { organization, activationKey } = { organization: option('rhsm', 'organization'), activationKey: option('rhsm', 'activation-key') };
    return {
      release,
      hostname: option('network', 'hostname'),
      locale: one('lang')?.words[0],
      keyboard: option('keyboard', 'vckeymap'),
      timezone: one('timezone')?.words[0],
      disk: readDisk(commands),
      users: commands
        .filter(({ name }) => name === 'user')
        .map((user) => {
          const name = commandOption(user, 'name');
          return {
            name,
            fullName: commandOption(user, 'gecos'),
            passwordHash: commandOption(user, 'password'),
            sshKeys: [
              ...commands.filter((key) => key.name === 'sshkey' && commandOption(key, 'username') === name).map(({ words }) => words.at(-1)),
              ...(finish.keys.get(name ?? '') ?? []),
            ],
            sudo: finish.allowed.has(name ?? ''),
          };
        }),
      rootPasswordHash: one('rootpw')?.words.find((word) => word.startsWith('$')),
      packages: kickstartSection(whole, '%packages')
        .split('\n')
        .filter((line) => line !== '')
        .slice(PACKAGES.length),
      network: readNetwork(one('network')),
      mirror: option('url', 'url'),
      proxy: option('url', 'proxy'),
      subscription: organization === undefined ? undefined : { kind: 'redhat', organization, activationKey },
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkKickstart,
};

function text(facts: InstallFacts): string {
  const { hostname, locale, keyboard, timezone, users, rootPasswordHash, packages, mirror, proxy } = facts;
  if (proxy !== undefined && mirror === undefined) throw unsupported('kickstart', 'a proxy without a mirror', 'Name the mirror too, which the proxy is for.');
  const lines: (readonly string[])[] = [
    ['text'],
    ...(mirror === undefined ? [] : [['url', `--url=${mirror}`, ...(proxy === undefined ? [] : [`--proxy=${proxy}`])]]),
    ['lang', locale],
    ['keyboard', `--vckeymap=${keyboard}`, `--xlayouts=${keyboard}`],
    ['timezone', timezone, '--utc'],
    ['network', ...networkOptions(facts.network), '--device=link', '--activate', '--onboot=yes', `--hostname=${hostname}`],
    ...subscriptionLines(facts),
    ['rootpw', ...(rootPasswordHash === undefined ? ['--lock'] : ['--iscrypted', rootPasswordHash])],
    ...users.flatMap(({ name, fullName, passwordHash, sshKeys }) => [
      [
        'user',
        `--name=${name}`,
        ...(fullName === undefined ? [] : [`--gecos=${fullName}`]),
        ...(passwordHash === undefined ? ['--lock'] : ['--iscrypted', `--password=${passwordHash}`]),
      ],
      // pykickstart takes one key of each user.
      ...sshKeys.slice(0, KEYS).map((key) => ['sshkey', `--username=${name}`, key]),
    ]),
    ['firewall', '--enabled', '--ssh'],
    ['selinux', '--enforcing'],
    ['firstboot', '--disable'],
    ...diskLines(facts),
    ['poweroff'],
  ];
  return `# Made by ingot.
${lines.map((words) => `${shellLine(words)}\n`).join('')}
%packages
${[...PACKAGES, ...packages].join('\n')}
%end

%post --interpreter=/bin/sh --erroronfail --log=/root/ingot-post.log
${shortFinishScript(facts, KEYS)}%end
`;
}

function networkOptions(network: InstallFacts['network']): string[] {
  if (network.kind === 'dhcp') return ['--bootproto=dhcp'];
  const { ip, netmask } = withNetmask(network.address);
  return ['--bootproto=static', `--ip=${ip}`, `--netmask=${netmask}`, `--gateway=${network.gateway}`, `--nameserver=${network.nameservers.join(',')}`];
}

function readNetwork(command: KickstartCommand | undefined): unknown {
  if (commandOption(command, 'bootproto') === 'dhcp') return { kind: 'dhcp' };
  const [ip = '', netmask = ''] = [commandOption(command, 'ip'), commandOption(command, 'netmask')];
  return {
    kind: 'static',
    address: withPrefix(ip, netmask),
    gateway: commandOption(command, 'gateway'),
    nameservers: commandOption(command, 'nameserver')?.split(','),
  };
}

function subscriptionLines({ subscription, release }: InstallFacts): string[][] {
  if (subscription === undefined) return [];
  if (subscription.kind !== 'redhat' || release.distribution !== 'rhel') {
    throw unsupported(
      'kickstart',
      `a subscription of ${subscription.kind} for ${release.distribution}`,
      'Only RHEL has one: redhat, with an organization and an activation key.',
    );
  }
  return [['rhsm', `--organization=${subscription.organization}`, `--activation-key=${subscription.activationKey}`]];
}

function hasBtrfs({ distribution }: InstallRelease): boolean {
  return distribution === 'fedora';
}

function diskLines({ disk, release }: InstallFacts): string[][] {
  const { device, firmware, filesystem, swap } = disk;
  if (filesystem === 'btrfs' && !hasBtrfs(release))
    throw unsupported('kickstart', `btrfs on ${release.distribution}`, 'Its kernel has none. Take xfs or ext4.');
  const name = device === 'first' ? undefined : device.replace(/^\/dev\//, '');
  return [
    ...(name === undefined ? [] : [['ignoredisk', `--only-use=${name}`]]),
    ['zerombr'],
    ['clearpart', '--all', '--initlabel', '--disklabel=gpt', ...(name === undefined ? [] : [`--drives=${name}`])],
    ['bootloader', '--location=mbr', '--append=console=tty0 console=ttyS0', ...(name === undefined ? [] : [`--boot-drive=${name}`])],
    firmware === 'bios' ? ['part', 'biosboot', '--fstype=biosboot', '--size=1'] : ['part', '/boot/efi', '--fstype=efi', '--size=512'],
    // The boot loader reads the kernel from a file system that each version of it knows.
    ['part', '/boot', `--fstype=${filesystem === 'xfs' ? 'xfs' : 'ext4'}`, '--size=1024'],
    ...(swap === undefined ? [] : [['part', 'swap', '--fstype=swap', `--size=${swap}`]]),
    ...(filesystem === 'btrfs'
      ? [
          ['part', 'btrfs.01', '--fstype=btrfs', '--size=2048', '--grow'],
          ['btrfs', 'none', '--label=root', 'btrfs.01'],
          ['btrfs', '/', '--subvol', '--name=root', 'root'],
        ]
      : [['part', '/', `--fstype=${filesystem}`, '--size=2048', '--grow']]),
  ];
}

function readDisk(commands: readonly KickstartCommand[]): unknown {
  const part = (mount: string): KickstartCommand | undefined => commands.find(({ name, words }) => name === 'part' && words[0] === mount);
  const drive = commandOption(
    commands.find(({ name }) => name === 'ignoredisk'),
    'only-use',
  );
  const [root, swap] = [part('/') ?? part('btrfs.01'), commandOption(part('swap'), 'size')];
  if (root === undefined) throw unreadable('it has no root partition');
  return {
    device: drive === undefined ? 'first' : `/dev/${drive}`,
    firmware: part('/boot/efi') === undefined ? 'bios' : 'uefi',
    filesystem: commandOption(root, 'fstype'),
    swap: swap === undefined ? undefined : Number(swap),
  };
}

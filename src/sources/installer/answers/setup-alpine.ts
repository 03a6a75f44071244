import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkSetupAlpine } from './check-setup-alpine.ts';
import type { InstallFacts } from './facts.ts';
import { NO_PASSWORD, finishScript, readFinishScript } from './finish-script.ts';
import { readAssignments } from './assignments.ts';
import { withNetmask, withPrefix } from './ipv4.ts';

/*
 * setup-alpine, of Alpine's media: variables of a shell script, which it sources and splits at blanks. Nothing starts it, and it asks for root's
 * password unless told not to (-e); so an overlay, which the medium lays on its own root, has a script that runs it, and the script at its end.
 * https://wiki.alpinelinux.org/wiki/Using_an_answerfile_with_setup-alpine
 */

const FILES = { answers: 'answers', install: 'install.sh', finish: 'finish.sh' } as const;
const OVERLAY = 'ingot.apkovl.tar.gz';
const FOLDER = 'etc/ingot';
/** Installed besides what the facts ask for. */
const PACKAGES = ['doas'];
/** The mirror's folders of a release. */
const branchOf = (version: string): string => (/^\d/.test(version) ? `v${version.split('.').slice(0, 2).join('.')}` : version);

export const setupAlpine: AnswerFormat = {
  write(facts) {
    const files = [
      { name: FILES.answers, text: answers(facts) },
      { name: FILES.install, text: INSTALL },
      {
        name: FILES.finish,
        text: finishScript(
          { locale: facts.locale, rootPasswordHash: facts.rootPasswordHash ?? NO_PASSWORD, users: facts.users, lateCommands: facts.lateCommands },
          'busybox',
        ),
      },
    ];
    return {
      files,
      overlay: {
        name: OVERLAY,
        entries: [
          // Without it the medium starts none of its services: an overlay has a say in all of them.
          { path: 'etc/.default_boot_services', mode: 0o644, text: '' },
          ...files.map(({ name, text }) => ({ path: `${FOLDER}/${name}`, mode: 0o600, text })),
          { path: 'etc/local.d/ingot.start', mode: 0o755, text: `#!/bin/sh\nsh /${FOLDER}/${FILES.install} > /dev/console 2>&1 &\n` },
          { path: 'etc/runlevels/default/local', target: '/etc/init.d/local' },
        ],
      },
      fetchedFirst: OVERLAY,
      delivery: {
        http: (baseUrl) => ['ip=dhcp', `apkovl=${servedAt(baseUrl, OVERLAY)}`],
        // The medium takes the overlay from any disk that it finds one on.
        disk: { label: 'APKOVL', kernelArguments: [] },
      },
    };
  },

  read(files, release) {
    const said = readAssignments(textOf(files, FILES.answers));
    const value = (name: string): string => {
      const found = said.get(name);
      if (found === undefined) throw unreadable(`there is no ${name}`);
      return found.value;
    };
    const finish = readFinishScript(textOf(files, FILES.finish));
    const [, , , swap = '0', device = ''] = value('DISKOPTS').split(' ');
    const repositories = value('APKREPOSOPTS').split(' ');
    return {
      release,
      hostname: value('HOSTNAMEOPTS'),
      locale: finish.locale,
      keyboard: value('KEYMAPOPTS').split(' ')[0],
      timezone: value('TIMEZONEOPTS').replace(/^-z /, ''),
      disk: {
        device: device === '$INSTALL_DISK' ? 'first' : device,
        firmware: said.has('USE_EFI') ? 'uefi' : 'bios',
        filesystem: value('ROOTFS'),
        swap: swap === '0' ? undefined : Number(swap),
      },
      users: finish.users,
      rootPasswordHash: finish.rootPasswordHash,
      packages: value('INGOT_PACKAGES').split(' ').slice(PACKAGES.length),
      network: readNetwork(value('INTERFACESOPTS'), said.get('DNSOPTS')?.value),
      mirror: repositories.length === 1 ? undefined : repositories[0]?.replace(`/${branchOf(release.version)}/main`, ''),
      proxy: value('PROXYOPTS') === 'none' ? undefined : value('PROXYOPTS'),
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkSetupAlpine,
};

function answers(facts: InstallFacts): string {
  const { release, hostname, keyboard, timezone, disk, packages, network, mirror, proxy, subscription } = facts;
  if (subscription !== undefined) throw unsupported('setup-alpine', `a subscription of ${subscription.kind}`);
  const [host = ''] = hostname.split('.');
  const branch = branchOf(release.version);
  const lines: (readonly [name: string, value: string, exported?: boolean])[] = [
    ['KEYMAPOPTS', `${keyboard} ${keyboard}`],
    ['HOSTNAMEOPTS', hostname],
    ['DEVDOPTS', 'mdev'],
    ['INTERFACESOPTS', interfaces(network, host)],
    ...(network.kind === 'dhcp' ? [] : [['DNSOPTS', `-n ${network.nameservers.join(' ')}`] as const]),
    ['TIMEZONEOPTS', `-z ${timezone}`],
    ['PROXYOPTS', proxy ?? 'none'],
    ['APKREPOSOPTS', mirror === undefined ? '-1c' : `${mirror}/${branch}/main ${mirror}/${branch}/community`],
    ['USEROPTS', 'none'],
    ['SSHDOPTS', 'openssh'],
    ['NTPOPTS', 'busybox'],
    ['DISKOPTS', `-m sys -s ${disk.swap ?? 0} ${disk.device === 'first' ? '$INSTALL_DISK' : disk.device}`],
    ['ERASE_DISKS', disk.device === 'first' ? '$INSTALL_DISK' : disk.device, true],
    ['ROOTFS', disk.filesystem, true],
    ...(disk.firmware === 'uefi' ? [['USE_EFI', '1', true] as const] : []),
    ['LBUOPTS', 'none'],
    ['APKCACHEOPTS', 'none'],
    ['INGOT_PACKAGES', [...PACKAGES, ...packages].join(' ')],
  ];
  return `# Made by ingot.\n${lines.map(([name, value, exported]) => `${exported === true ? 'export ' : ''}${name}="${value}"\n`).join('')}`;
}

function interfaces(network: InstallFacts['network'], host: string): string {
  const loopback = 'auto lo\niface lo inet loopback\n\nauto eth0\n';
  if (network.kind === 'dhcp') return `${loopback}iface eth0 inet dhcp\n\thostname ${host}\n`;
  const { ip, netmask } = withNetmask(network.address);
  return `${loopback}iface eth0 inet static\n\taddress ${ip}\n\tnetmask ${netmask}\n\tgateway ${network.gateway}\n`;
}

function readNetwork(text: string, dns: string | undefined): unknown {
  const word = (name: string): string => new RegExp(`^\\t${name} (\\S+)$`, 'm').exec(text)?.[1] ?? '';
  if (text.includes('inet dhcp')) return { kind: 'dhcp' };
  return { kind: 'static', address: withPrefix(word('address'), word('netmask')), gateway: word('gateway'), nameservers: dns?.split(' ').slice(1) };
}

const INSTALL = `#!/bin/sh
# Made by ingot: run once, in the system of the medium.
set -eu
cd /${FOLDER}
INSTALL_DISK=$(for disk in /dev/vda /dev/sda /dev/xvda /dev/nvme0n1; do [ ! -b "$disk" ] || { echo "$disk"; break; }; done)
export INSTALL_DISK
. ./${FILES.answers}
echo "ingot: partitioning"
setup-alpine -e -f /${FOLDER}/${FILES.answers}
for part in "$ERASE_DISKS"*[0-9]; do root=$part; done
echo "ingot: packages"
mount "$root" /mnt
for folder in dev proc sys; do mount --bind "/$folder" "/mnt/$folder"; done
cp /etc/resolv.conf /mnt/etc/resolv.conf
chroot /mnt apk add $INGOT_PACKAGES
cp ${FILES.finish} /mnt/root/${FILES.finish}
chroot /mnt sh /root/${FILES.finish}
rm /mnt/root/${FILES.finish}
for folder in sys proc dev; do umount "/mnt/$folder"; done
umount /mnt
echo "ingot: finished"
poweroff
`;

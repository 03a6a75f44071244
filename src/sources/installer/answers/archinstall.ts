import * as z from 'zod';
import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkArchinstall } from './check-archinstall.ts';
import type { InstallFacts } from './facts.ts';
import { NO_PASSWORD, finishScript, readFinishScript } from './finish-script.ts';
import { NEWLINE, factsScript, scriptFacts } from './shell-words.ts';

/*
 * archinstall, of the Arch medium, which runs a script that its kernel's arguments name. archinstall's own partitions have sizes that have to be
 * known, and a disk by its name; so the script prepares the disk, and hands it over mounted.
 * https://archinstall.archlinux.page/
 */

const FILES = { script: 'install.sh', configuration: 'user_configuration.json', credentials: 'user_credentials.json', finish: 'finish.sh' } as const;
/** Installed besides what the facts ask for. */
const PACKAGES = ['openssh', 'sudo'];
const MOUNT = '/mnt/archinstall';

const configuration = z.object({
  hostname: z.string(),
  locale_config: z.object({ kb_layout: z.string(), sys_lang: z.string() }),
  timezone: z.string(),
  packages: z.array(z.string()),
  mirror_config: z.object({ custom_servers: z.array(z.object({ url: z.string() })) }).optional(),
  network_config: z.object({
    nics: z.tuple([z.object({ dhcp: z.boolean(), ip: z.string().optional(), gateway: z.string().optional(), dns: z.array(z.string()).optional() })]),
  }),
});
const credentials = z.object({ root_enc_password: z.string() });

export const archinstall: AnswerFormat = {
  write(facts) {
    if (facts.subscription !== undefined) throw unsupported('archinstall', `a subscription of ${facts.subscription.kind}`);
    return {
      files: [
        { name: FILES.script, text: installScript(facts) },
        { name: FILES.configuration, text: json(toConfiguration(facts)) },
        // Users are made by the script at the end: archinstall leaves out those without a password, and prints its commands.
        { name: FILES.credentials, text: json({ root_enc_password: facts.rootPasswordHash ?? NO_PASSWORD }) },
        { name: FILES.finish, text: finishScript({ users: facts.users, lateCommands: facts.lateCommands }) },
      ],
      fetchedFirst: FILES.script,
      delivery: { http: (baseUrl) => [`script=${servedAt(baseUrl, FILES.script)}`] },
    };
  },

  read(files, release) {
    const said = configuration.parse(JSON.parse(textOf(files, FILES.configuration)));
    const { root_enc_password: hash } = credentials.parse(JSON.parse(textOf(files, FILES.credentials)));
    const finish = readFinishScript(textOf(files, FILES.finish));
    const script = new Map(scriptFacts(textOf(files, FILES.script)).map(([verb = '', ...words]) => [verb, words]));
    const [device, firmware, filesystem, swap] = script.get('prepare_disk') ?? [];
    if (device === undefined) throw unreadable('its script prepares no disk');
    const [card] = said.network_config.nics;
    return {
      release,
      hostname: said.hostname,
      locale: said.locale_config.sys_lang,
      keyboard: said.locale_config.kb_layout,
      timezone: said.timezone,
      disk: { device, firmware, filesystem, swap: swap === '0' ? undefined : Number(swap) },
      users: finish.users,
      rootPasswordHash: hash === NO_PASSWORD ? undefined : hash,
      packages: said.packages.slice(PACKAGES.length),
      network: card.dhcp ? { kind: 'dhcp' } : { kind: 'static', address: card.ip, gateway: card.gateway, nameservers: card.dns },
      mirror: said.mirror_config?.custom_servers[0]?.url.replace(MIRROR_PATH, ''),
      proxy: script.get('use_proxy')?.[0],
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkArchinstall,
};

const MIRROR_PATH = '/$repo/os/$arch';

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

function toConfiguration({ hostname, locale, keyboard, timezone, packages, mirror, network, disk }: InstallFacts): Record<string, unknown> {
  return {
    'archinstall-language': 'English',
    bootloader_config: { bootloader: disk.firmware === 'bios' ? 'Grub' : 'Systemd-boot', uki: false, removable: false },
    disk_config: { config_type: 'pre_mounted_config', mountpoint: MOUNT },
    hostname,
    kernels: ['linux'],
    locale_config: { kb_layout: keyboard, sys_enc: /\.(.+?)(@|$)/.exec(locale)?.[1] ?? 'UTF-8', sys_lang: locale },
    ...(mirror === undefined ? {} : { mirror_config: { custom_servers: [{ url: `${mirror}${MIRROR_PATH}` }] } }),
    network_config: {
      type: 'manual',
      nics: [
        network.kind === 'dhcp'
          ? { iface: 'e*', dhcp: true }
          : { iface: 'e*', dhcp: false, ip: network.address, gateway: network.gateway, dns: network.nameservers },
      ],
    },
    ntp: true,
    packages: [...PACKAGES, ...packages],
    services: ['sshd'],
    swap: { enabled: false },
    timezone,
  };
}

function installScript({ disk, proxy }: InstallFacts): string {
  const { device, firmware, filesystem, swap = 0 } = disk;
  return factsScript(HEAD, [...(proxy === undefined ? [] : [['use_proxy', proxy]]), ['prepare_disk', device, firmware, filesystem, String(swap)]], TAIL);
}

const HEAD = `#!/bin/sh
# Made by ingot: run by the medium, which was told of it by script=…
set -eu
${NEWLINE}
use_proxy() { # address
  export http_proxy="$1" https_proxy="$1"
}
prepare_disk() { # device or first, firmware, file system, MiB of swap
  echo "ingot: partitioning"
  disk=$1
  [ "$disk" != first ] || disk=$(lsblk -dnpo NAME,TYPE | awk '$2 == "disk" && $1 !~ /zram/ { print $1; exit }')
  label=dos boot='size=1GiB, type=83, bootable' root='type=83' swap='type=82'
  if [ "$2" = uefi ]; then
    label=gpt boot='size=1GiB, type=uefi' root='type=linux' swap='type=swap'
  fi
  {
    printf 'label: %s\\n%s\\n' "$label" "$boot"
    [ "$4" = 0 ] || printf 'size=%sMiB, %s\\n' "$4" "$swap"
    printf '%s\\n' "$root"
  } | sfdisk --wipe always --wipe-partitions always "$disk"
  udevadm settle
  set -- "$2" "$3" "$4" $(lsblk -nrpo NAME,TYPE "$disk" | awk '$2 == "part" { print $1 }')
  firmware=$1 filesystem=$2 swap=$3 first=$4
  shift 4
  if [ "$swap" != 0 ]; then
    mkswap "$1"
    swapon "$1"
    shift
  fi
  "mkfs.$filesystem" "$1"
  if [ "$firmware" = uefi ]; then mkfs.fat -F 32 "$first"; else mkfs.ext4 "$first"; fi
  mount --mkdir "$1" ${MOUNT}
  mount --mkdir "$first" ${MOUNT}/boot
}
`;

const TAIL = `
base=$(tr ' ' '\\n' < /proc/cmdline | sed -n 's|^script=\\(.*\\)/[^/]*$|\\1|p')
for file in ${FILES.configuration} ${FILES.credentials} ${FILES.finish}; do
  curl -fsS --retry 5 -o "/root/$file" "$base/$file"
done
echo "ingot: packages"
archinstall --config /root/${FILES.configuration} --creds /root/${FILES.credentials} --silent --skip-version-check
install -m 700 /root/${FILES.finish} ${MOUNT}/root/${FILES.finish}
arch-chroot ${MOUNT} sh /root/${FILES.finish}
rm ${MOUNT}/root/${FILES.finish}
umount -R ${MOUNT}
echo "ingot: finished"
poweroff
`;

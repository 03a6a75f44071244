import { parse, stringify } from 'yaml';
import * as z from 'zod';
import { IngotError } from '../../../base/errors.ts';
import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkAutoinstall } from './check-autoinstall.ts';
import type { InstallFacts } from './facts.ts';
import { finishScript, readFinishScript } from './finish-script.ts';

/*
 * Ubuntu's server installer (subiquity), 22.04 and later: its configuration is a part of cloud-init's user-data.
 * https://canonical-subiquity.readthedocs-hosted.com/en/latest/reference/autoinstall-reference.html
 */

/** Installed besides what the facts ask for. */
const PACKAGES = ['sudo'];

/** What undoes that the installer takes the machine's first boot from cloud-init: an image of ingot is given its data by each platform. */
const LEFT_BY_INSTALLER = [
  '/target/etc/cloud/cloud.cfg.d/99-installer.cfg',
  '/target/etc/cloud/cloud.cfg.d/90-installer-network.cfg',
  '/target/etc/cloud/cloud.cfg.d/subiquity-disable-cloudinit-networking.cfg',
  '/target/etc/cloud/cloud-init.disabled',
];

/** The form of a token of Ubuntu Pro: what the installer's schema asks for. */
const PRO_TOKEN = /^C?[1-9A-HJ-NP-Za-km-z]{23,29}$/;

const document = z.object({
  autoinstall: z.object({
    locale: z.string(),
    keyboard: z.object({ layout: z.string() }),
    timezone: z.string(),
    network: z.object({
      ethernets: z.object({
        all: z.object({
          addresses: z.array(z.string()).optional(),
          routes: z.array(z.object({ via: z.string() })).optional(),
          nameservers: z.object({ addresses: z.array(z.string()) }).optional(),
        }),
      }),
    }),
    proxy: z.string().optional(),
    apt: z.object({ primary: z.array(z.object({ uri: z.string() })) }).optional(),
    storage: z.object({ config: z.array(z.record(z.string(), z.unknown())) }),
    packages: z.array(z.string()),
    'ubuntu-pro': z.object({ token: z.string() }).optional(),
    'late-commands': z.array(z.array(z.string())),
  }),
});

export const autoinstall: AnswerFormat = {
  write: (facts) => ({
    files: [
      { name: 'user-data', text: `#cloud-config\n${stringify({ autoinstall: section(facts) }, { lineWidth: 0 })}` },
      // cloud-init takes a folder without it for none of its own.
      { name: 'meta-data', text: 'instance-id: ingot-install\n' },
    ],
    fetchedFirst: 'user-data',
    delivery: {
      http: (baseUrl) => ['autoinstall', `ds=nocloud-net;s=${servedAt(baseUrl, '')}`],
      disk: { label: 'cidata', kernelArguments: ['autoinstall', 'ds=nocloud'] },
    },
  }),

  read(files, release) {
    const { autoinstall: said } = document.parse(parse(textOf(files, 'user-data')));
    const { all } = said.network.ethernets;
    const finish = readFinishScript(said['late-commands'].at(-1)?.at(-1) ?? '');
    return {
      release,
      hostname: finish.hostname,
      locale: said.locale,
      keyboard: said.keyboard.layout,
      timezone: said.timezone,
      disk: readStorage(said.storage.config),
      users: finish.users,
      rootPasswordHash: finish.rootPasswordHash,
      packages: said.packages.slice(PACKAGES.length),
      network:
        all.addresses === undefined
          ? { kind: 'dhcp' }
          : { kind: 'static', address: all.addresses[0], gateway: all.routes?.[0]?.via, nameservers: all.nameservers?.addresses },
      mirror: said.apt?.primary[0]?.uri,
      proxy: said.proxy,
      subscription: said['ubuntu-pro'] === undefined ? undefined : { kind: 'product-key', key: said['ubuntu-pro'].token },
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkAutoinstall,
};

function section(facts: InstallFacts): Record<string, unknown> {
  const { locale, keyboard, timezone, network, proxy, mirror, packages } = facts;
  return {
    version: 1,
    'refresh-installer': { update: false },
    locale,
    keyboard: { layout: keyboard },
    timezone,
    network: {
      version: 2,
      ethernets: {
        all: {
          match: { name: 'e*' },
          ...(network.kind === 'dhcp'
            ? { dhcp4: true }
            : { addresses: [network.address], routes: [{ to: 'default', via: network.gateway }], nameservers: { addresses: network.nameservers } }),
        },
      },
    },
    ...(proxy === undefined ? {} : { proxy }),
    ...(mirror === undefined ? {} : { apt: { preserve_sources_list: false, geoip: false, primary: [{ arches: ['default'], uri: mirror }] } }),
    storage: { swap: { size: 0 }, config: storage(facts.disk) },
    ssh: { 'install-server': true, 'allow-pw': false },
    packages: [...PACKAGES, ...packages],
    ...proSection(facts),
    // With it no user has to be named, whom the installer would leave to the first boot.
    'user-data': { disable_root: true },
    'late-commands': [
      ['rm', '-f', ...LEFT_BY_INSTALLER],
      [
        'curtin',
        'in-target',
        '--target=/target',
        '--',
        'sh',
        '-c',
        finishScript({ hostname: facts.hostname, rootPasswordHash: facts.rootPasswordHash, users: facts.users, lateCommands: facts.lateCommands }),
      ],
    ],
    shutdown: 'poweroff',
  };
}

function proSection({ subscription }: InstallFacts): Record<string, unknown> {
  if (subscription === undefined) return {};
  if (subscription.kind !== 'product-key')
    throw unsupported('autoinstall', `a subscription of ${subscription.kind}`, 'Ubuntu knows product-key: a token of Ubuntu Pro.');
  if (!PRO_TOKEN.test(subscription.key)) {
    throw new IngotError('usage', 'product-key-invalid', 'The product key is no token of Ubuntu Pro', { hint: 'A token has 24 to 30 letters and digits.' });
  }
  return { 'ubuntu-pro': { token: subscription.key } };
}

/** The actions of curtin: a GPT with what the firmware needs, swap, and the root in the rest. */
function storage({ device, firmware, filesystem, swap }: InstallFacts['disk']): Record<string, unknown>[] {
  const partition = (id: string, number: number, more: Record<string, unknown>): Record<string, unknown> => ({
    id,
    type: 'partition',
    device: 'disk',
    number,
    wipe: 'superblock',
    ...more,
  });
  const filesystemOn = (volume: string, fstype: string, path: string): Record<string, unknown>[] => [
    { id: `${volume}-format`, type: 'format', volume, fstype },
    { id: `${volume}-mount`, type: 'mount', device: `${volume}-format`, path },
  ];
  return [
    {
      id: 'disk',
      type: 'disk',
      ptable: 'gpt',
      wipe: 'superblock-recursive',
      grub_device: firmware === 'bios',
      match: device === 'first' ? { size: 'largest' } : { path: device },
    },
    ...(firmware === 'bios'
      ? [partition('bios', 1, { size: '1M', flag: 'bios_grub' })]
      : [partition('esp', 1, { size: '512M', flag: 'boot', grub_device: true }), ...filesystemOn('esp', 'fat32', '/boot/efi')]),
    ...(swap === undefined ? [] : [partition('swap', 2, { size: `${swap}M`, flag: 'swap' }), ...filesystemOn('swap', 'swap', '')]),
    partition('root', swap === undefined ? 2 : 3, { size: -1 }),
    ...filesystemOn('root', filesystem, '/'),
  ];
}

function readStorage(actions: readonly Record<string, unknown>[]): unknown {
  const find = (id: string): Record<string, unknown> | undefined => actions.find((action) => action['id'] === id);
  const [disk, root, swap] = [find('disk'), find('root-format'), find('swap')];
  if (disk === undefined || root === undefined) throw unreadable('its storage has no disk or no root');
  const { match } = z.object({ match: z.object({ path: z.string().optional() }) }).parse(disk);
  return {
    device: match.path ?? 'first',
    firmware: find('esp') === undefined ? 'bios' : 'uefi',
    filesystem: root['fstype'],
    swap: swap === undefined ? undefined : Number.parseInt(String(swap['size']), 10),
  };
}

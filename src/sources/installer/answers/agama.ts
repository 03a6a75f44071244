import * as z from 'zod';
import { servedAt, textOf, unreadable, unsupported, type AnswerFormat } from './answer-files.ts';
import { checkAgama } from './check-agama.ts';
import type { InstallFacts, InstallRelease } from './facts.ts';
import { NO_PASSWORD, finishScript, readFinishScript } from './finish-script.ts';

/*
 * Agama, of SLES 16, openSUSE Leap 16 and Tumbleweed: a profile in JSON.
 * https://agama-project.github.io/docs/user/unattended/reference
 */

const NAME = 'profile.json';
/** Installed besides what the facts ask for. */
const PACKAGES = ['openssh-server', 'sudo'];

const connection = z.object({
  method4: z.enum(['auto', 'manual']),
  addresses: z.array(z.string()).optional(),
  gateway4: z.string().optional(),
  nameservers: z.array(z.string()).optional(),
});
const partition = z.object({
  id: z.string().optional(),
  size: z.union([z.string(), z.object({ min: z.string() })]).optional(),
  filesystem: z.object({ path: z.string(), type: z.string() }).optional(),
});
const profile = z.object({
  product: z.object({ registrationCode: z.string().optional(), registrationEmail: z.string().optional() }),
  hostname: z.object({ static: z.string() }),
  l10n: z.object({ locale: z.string(), keymap: z.string(), timezone: z.string() }),
  proxy: z.object({ httpProxy: z.string() }).optional(),
  network: z.object({ connections: z.tuple([connection]) }),
  software: z.object({ packages: z.array(z.string()), extraRepositories: z.array(z.object({ url: z.string() })).optional() }),
  root: z.object({ password: z.string() }),
  storage: z.object({ drives: z.tuple([z.object({ search: z.string().optional(), partitions: z.array(partition) })]) }),
  scripts: z.object({ post: z.tuple([z.object({ content: z.string() })]) }),
});

export const agama: AnswerFormat = {
  write: (facts) => ({
    files: [{ name: NAME, text: `${JSON.stringify(toProfile(facts), undefined, 2)}\n` }],
    fetchedFirst: NAME,
    delivery: {
      http: (baseUrl) => [`inst.auto=${servedAt(baseUrl, NAME)}`, 'inst.finish=poweroff'],
      disk: { label: 'OEMDRV', kernelArguments: [`inst.auto=label://OEMDRV/${NAME}`, 'inst.finish=poweroff'] },
    },
  }),

  read(files, release) {
    const said = profile.parse(JSON.parse(textOf(files, NAME)));
    const finish = readFinishScript(said.scripts.post[0].content);
    const [card] = said.network.connections;
    const { registrationCode, registrationEmail } = said.product;
    return {
      release,
      hostname: said.hostname.static,
      locale: said.l10n.locale,
      keyboard: said.l10n.keymap,
      timezone: said.l10n.timezone,
      disk: readDrive(said.storage.drives[0]),
      users: finish.users,
      rootPasswordHash: said.root.password === NO_PASSWORD ? undefined : said.root.password,
      packages: said.software.packages.slice(PACKAGES.length),
      network:
        card.method4 === 'auto' ? { kind: 'dhcp' } : { kind: 'static', address: card.addresses?.[0], gateway: card.gateway4, nameservers: card.nameservers },
      mirror: said.software.extraRepositories?.[0]?.url,
      proxy: said.proxy?.httpProxy,
      subscription: registrationCode === undefined ? undefined : { kind: 'suse', registrationCode, email: registrationEmail },
      lateCommands: finish.lateCommands,
      finish: 'poweroff',
    };
  },

  check: checkAgama,
};

/** What Agama calls the product; it asks where it is offered several and told none. */
function productOf({ distribution }: InstallRelease): string {
  if (distribution === 'sles') return 'SLES';
  return distribution === 'opensuse-leap' ? 'openSUSE_Leap' : 'Tumbleweed';
}

function toProfile(facts: InstallFacts): Record<string, unknown> {
  const { release, subscription, hostname, locale, keyboard, timezone, proxy, network, packages, mirror } = facts;
  if (subscription !== undefined && subscription.kind !== 'suse') {
    throw unsupported('agama', `a subscription of ${subscription.kind}`, 'SUSE knows suse: a registration code.');
  }
  return {
    product: {
      id: productOf(release),
      ...(subscription === undefined ? {} : { registrationCode: subscription.registrationCode }),
      ...(subscription?.email === undefined ? {} : { registrationEmail: subscription.email }),
    },
    hostname: { static: hostname },
    l10n: { locale, keymap: keyboard, timezone },
    ...(proxy === undefined ? {} : { proxy: { enabled: true, httpProxy: proxy, httpsProxy: proxy } }),
    network: {
      connections: [
        {
          id: 'first',
          ...(network.kind === 'dhcp'
            ? { method4: 'auto', method6: 'auto' }
            : { method4: 'manual', method6: 'disabled', addresses: [network.address], gateway4: network.gateway, nameservers: network.nameservers }),
          autoconnect: true,
        },
      ],
    },
    software: {
      onlyRequired: true,
      packages: [...PACKAGES, ...packages],
      ...(mirror === undefined ? {} : { extraRepositories: [{ alias: 'mirror', url: mirror }] }),
    },
    root: { password: facts.rootPasswordHash ?? NO_PASSWORD, hashedPassword: true },
    access: { ssh: 'enabled' },
    bootloader: { timeout: 1, extraKernelParams: 'console=tty0 console=ttyS0' },
    storage: { boot: { configure: false }, drives: [drive(facts.disk)] },
    questions: { policy: 'auto' },
    scripts: { post: [{ name: 'finish', chroot: true, content: finishScript({ users: facts.users, lateCommands: facts.lateCommands }) }] },
  };
}

function drive({ device, firmware, filesystem, swap }: InstallFacts['disk']): Record<string, unknown> {
  return {
    ...(device === 'first' ? {} : { search: device }),
    ptableType: 'gpt',
    partitions: [
      { search: '*', delete: true },
      firmware === 'bios' ? { id: 'bios_boot', size: '8 MiB' } : { id: 'esp', size: '512 MiB', filesystem: { path: '/boot/efi', type: 'vfat' } },
      ...(swap === undefined ? [] : [{ id: 'swap', size: `${swap} MiB`, filesystem: { path: 'swap', type: 'swap' } }]),
      { size: { min: '2 GiB' }, filesystem: { path: '/', type: filesystem } },
    ],
  };
}

function readDrive({ search, partitions }: { readonly search?: string | undefined; readonly partitions: readonly z.output<typeof partition>[] }): unknown {
  const on = (path: string): z.output<typeof partition> | undefined => partitions.find(({ filesystem }) => filesystem?.path === path);
  const [root, swap] = [on('/'), on('swap')?.size];
  if (root === undefined) throw unreadable('it has no root partition');
  return {
    device: search ?? 'first',
    firmware: on('/boot/efi') === undefined ? 'bios' : 'uefi',
    filesystem: root.filesystem?.type,
    swap: typeof swap === 'string' ? Number.parseInt(swap, 10) : undefined,
  };
}

import { IngotError } from '../../base/errors.ts';
import type { Release } from '../../catalog/schema.ts';
import type { ResolvedTemplate } from '../../template/template.ts';
import { installFactsSchema, type InstallFacts } from './answers/facts.ts';

const MIB = 2 ** 20;

/** What an installation is told besides what the template says: where it runs, and the values of secrets, which are fetched when it does. */
export interface InstallOptions {
  /** Default: the one disk that there is. */
  readonly device?: string;
  /** What starts the machine. Default: what the template says, else BIOS, and UEFI where the processor has no other. */
  readonly firmware?: 'bios' | 'uefi';
  /** Of the network that the machine is installed in. Default: DHCP; the template's own network comes with a layer. */
  readonly network?: InstallFacts['network'];
  readonly mirror?: string | undefined;
  readonly proxy?: string | undefined;
  readonly subscription?: InstallFacts['subscription'];
  /** Hashes by the names of their secrets. */
  readonly passwordHashes?: ReadonlyMap<string, string>;
  readonly rootPasswordHash?: string | undefined;
  readonly lateCommands?: InstallFacts['lateCommands'];
}

/**
 * What a release's installer is told of a template: its disk, the users and packages that are plainly said, names and places. What it cannot say (numbers
 * and shells of accounts, versions of packages, roles, steps) comes with the layers on top, as for any base. Throws `install-disk-unsupported` for a disk
 * with partitions of its own or LVM, `install-hash-missing` where a password's value was not fetched. Pure.
 */
export function installFacts(
  template: Pick<ResolvedTemplate, 'name' | 'arch' | 'disk' | 'users' | 'packages' | 'system'>,
  release: Pick<Release, 'distribution' | 'version' | 'codename'>,
  options: InstallOptions = {},
): InstallFacts {
  const { disk, system } = template;
  if (disk.lvm === true || (disk.partitions ?? []).length > 0) {
    throw new IngotError('usage', 'install-disk-unsupported', 'An installer of a template makes one root partition, and the template asks for more', {
      hint: 'Leave `disk.partitions` and `disk.lvm` away, or write the answer file yourself.',
    });
  }
  const firmware =
    options.firmware ?? (disk.firmware === undefined || disk.firmware === 'both' ? (template.arch === 'amd64' ? 'bios' : 'uefi') : disk.firmware);
  const codename = release.codename.toLowerCase();
  return installFactsSchema.parse({
    release: {
      distribution: release.distribution,
      version: release.version,
      ...(/^[a-z][a-z0-9-]*$/.test(codename) ? { codename } : {}),
      architecture: template.arch,
    },
    hostname: system.hostname === undefined || system.hostname === 'platform' ? template.name.replaceAll('.', '-') : system.hostname,
    locale: system.locale ?? 'en_US.UTF-8',
    keyboard: system.keymap ?? 'us',
    timezone: system.timezone ?? 'UTC',
    disk: {
      device: options.device ?? 'first',
      firmware,
      filesystem: disk.filesystem,
      ...(disk.swap === undefined ? {} : { swap: Math.ceil(disk.swap / MIB) }),
    },
    users: template.users.filter(isPlain).map((user) => installUser(user, options.passwordHashes ?? new Map())),
    ...(options.rootPasswordHash === undefined ? {} : { rootPasswordHash: options.rootPasswordHash }),
    packages: template.packages.filter((name) => !name.includes('=')),
    network: options.network ?? { kind: 'dhcp' },
    ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
    ...(options.proxy === undefined ? {} : { proxy: options.proxy }),
    ...(options.subscription === undefined ? {} : { subscription: options.subscription }),
    lateCommands: options.lateCommands ?? [],
    finish: 'poweroff',
  });
}

type User = ResolvedTemplate['users'][number];

/** Whether an account is one that any installer makes; the others are left to the layer, which would find them made otherwise. */
function isPlain({ system, uid, home, shell }: User): boolean {
  return !system && uid === undefined && home === undefined && shell === undefined;
}

function installUser({ name, comment, sudo, sshKeys, passwordHash }: User, hashes: ReadonlyMap<string, string>): InstallFacts['users'][number] {
  const hash = passwordHash === undefined ? undefined : hashes.get(passwordHash.secret);
  if (passwordHash !== undefined && hash === undefined) {
    throw new IngotError('not-found', 'install-hash-missing', `The password of ${name} has no value: the secret ${passwordHash.secret} was not fetched`, {
      hint: `ingot secret set ${passwordHash.secret} stores it.`,
    });
  }
  const fullName = comment?.replaceAll(',', ' ').trim();
  return {
    name,
    ...(fullName === undefined || fullName === '' ? {} : { fullName }),
    ...(hash === undefined ? {} : { passwordHash: hash }),
    sshKeys: sshKeys.flatMap((text) => text.split('\n').map((line) => line.trim())).filter((line) => line !== '' && !line.startsWith('#')),
    sudo: sudo === true,
  };
}

import type { Release } from '../../catalog/schema.ts';
import { installFactsSchema, type InstallFacts } from './answers/facts.ts';

/** What of a template an installation is told. */
export interface InstallWish {
  readonly arch: 'amd64' | 'arm64';
  readonly firmware: 'bios' | 'uefi';
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly mirror?: string | undefined;
  readonly proxy?: string | undefined;
  /** With the key itself, or what stands for it. */
  readonly subscription?: { readonly organization?: string | undefined; readonly email?: string | undefined; readonly key: string } | undefined;
}

/** What every image has, by the names that packages have in each family: so a system whose packages need a subscription has them too. */
const AGENTS = ['cloud-init', 'qemu-guest-agent', 'sudo'] as const;
const SSH_SERVER: Readonly<Record<Release['family'], string>> = {
  debian: 'openssh-server',
  rhel: 'openssh-server',
  suse: 'openssh',
  arch: 'openssh',
  alpine: 'openssh',
};

/**
 * The facts of a base system: what many templates have in common. Users, packages, locale and network of a template are layers on top of it, so that a change of
 * them does not install anew. Pure.
 */
export function baseFacts(release: Release, wish: InstallWish): InstallFacts {
  const { distribution, version, codename, family } = release;
  const { arch, firmware, filesystem, mirror, proxy, subscription } = wish;
  return installFactsSchema.parse({
    release: {
      distribution,
      version: version === '' ? 'rolling' : version,
      ...(/^[a-z][a-z0-9-]*$/.test(codename) ? { codename } : {}),
      architecture: arch,
    },
    hostname: 'image',
    locale: 'en_US.UTF-8',
    keyboard: 'us',
    timezone: 'UTC',
    disk: { device: 'first', firmware, filesystem },
    users: [],
    packages: [...AGENTS, SSH_SERVER[family]],
    network: { kind: 'dhcp' },
    ...(mirror === undefined ? {} : { mirror }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(subscription === undefined ? {} : { subscription: subscriptionOf(release, subscription) }),
    lateCommands: [],
    finish: 'poweroff',
  });
}

function subscriptionOf({ subscription: kind }: Release, { organization, email, key }: NonNullable<InstallWish['subscription']>): InstallFacts['subscription'] {
  if (kind === 'rhel') return { kind: 'redhat', organization: organization ?? '', activationKey: key };
  if (kind === 'sles') return { kind: 'suse', registrationCode: key, ...(email === undefined ? {} : { email }) };
  return { kind: 'product-key', key };
}

import type { Release } from '../../catalog/schema.ts';
import { installFactsSchema, type InstallFacts } from './answers/answers.ts';

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

/** What every image has: a system whose packages need a subscription could not be given them later. SSH and sudo are what every answer file asks for. */
const AGENTS = ['cloud-init', 'qemu-guest-agent'];

/**
 * The facts of a base system: what many templates have in common. Users, packages, locale and network of a template are layers on top of it, so that a change of
 * them does not install anew. Pure.
 */
export function baseFacts(release: Release, wish: InstallWish): InstallFacts {
  const { distribution, version, codename } = release;
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
    packages: AGENTS,
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

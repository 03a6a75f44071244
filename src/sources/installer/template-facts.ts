import type { Release } from '../../catalog/schema.ts';
import type { Subscription } from '../../template/template.ts';
import { installFactsSchema, type InstallFacts } from './answers/answers.ts';

/** What of a template an installation is told. */
export interface InstallWish {
  readonly arch: 'amd64' | 'arm64';
  readonly firmware: 'bios' | 'uefi';
  readonly filesystem: 'ext4' | 'xfs' | 'btrfs';
  readonly mirror?: string | undefined;
  readonly subscription?: InstallFacts['subscription'];
}

/** What every image has: a system whose packages need a subscription could not be given them later. SSH and sudo are what every answer file asks for. */
const AGENTS = ['cloud-init', 'qemu-guest-agent'];

/**
 * The facts of a base system: what many templates have in common. Users, packages, locale and network of a template are layers on top of it, so that a change of
 * them does not install anew. Pure.
 */
export function baseFacts(release: Release, wish: InstallWish): InstallFacts {
  const { distribution, version, codename } = release;
  const { arch, firmware, filesystem, mirror, subscription } = wish;
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
    ...(subscription === undefined ? {} : { subscription }),
    lateCommands: [],
    finish: 'poweroff',
  });
}

/**
 * What an installer registers with, given the secret or what stands for it; undefined where it is to register at a server of the user's own, which only a build can: no
 * installer takes one. Pure.
 */
export function subscriptionFacts(subscription: Subscription, secret: string): InstallFacts['subscription'] {
  if (subscription.server !== undefined) return undefined;
  if (subscription.vendor === 'rhel') return { kind: 'redhat', organization: subscription.organization, activationKey: secret };
  const { email } = subscription;
  return { kind: 'suse', registrationCode: secret, ...(email === undefined ? {} : { email }) };
}

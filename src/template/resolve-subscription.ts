import { certificates } from './key-text.ts';
import { placedProblems } from './placed.ts';
import { releaseOf, type FoundBase } from './resolve-base.ts';
import type { Template } from './schema.ts';
import type { Path, Scope } from './scope.ts';
import { placeAt } from './source.ts';
import { subscriptionMissing } from './subscription-missing.ts';
import type { Subscription, SubscriptionVendor } from './template.ts';

type Written = NonNullable<Template['subscription']>;

/** Keys of `subscription` that one vendor's registration has, and the other's has not. */
const OWN_KEYS = {
  rhel: ['organization', 'activation-key', 'repositories'],
  sles: ['registration-code', 'email', 'modules'],
} as const satisfies Record<SubscriptionVendor, readonly (keyof Written)[]>;

const NAMES: Readonly<Record<SubscriptionVendor, string>> = { rhel: 'RHEL', sles: 'SLES' };

/** The subscription with its certificate read and its secret found; tells at their places what it lacks, and what belongs to another release. */
export async function resolveSubscription(scope: Scope, found: FoundBase | undefined): Promise<Subscription | undefined> {
  const written = scope.loaded.template.subscription;
  const release = releaseOf(scope, found);
  if (written === undefined || release === undefined) return undefined;
  const { subscription: vendor } = release;
  if (vendor === undefined) {
    scope.problem(['subscription'], `is for RHEL and SLES alone, and the image is ${release.id}`, 'Leave it away: its packages are served to everybody.');
    return undefined;
  }
  const other: SubscriptionVendor = vendor === 'rhel' ? 'sles' : 'rhel';
  for (const key of OWN_KEYS[other]) {
    const value = written[key];
    const given = Array.isArray(value) ? value.length > 0 : value !== undefined;
    if (given) scope.problem(['subscription', key], `is for ${NAMES[other]} alone, and the image is ${release.id}`);
  }
  if (written.ca !== undefined && written.server === undefined)
    scope.problem(['subscription', 'ca'], 'means nothing without `server`', "The vendor's own server is known to the image.");
  const { server: address, email, organization } = written;
  const [ca, secret] = await Promise.all([authority(scope, written), secretOf(scope, written, vendor)]);
  const server = address === undefined ? {} : { server: new URL(address).origin };
  const common = { ...server, ...(ca === undefined ? {} : { ca }) };
  if (vendor === 'rhel') {
    if (organization === undefined)
      scope.problem(['subscription'], 'needs `organization`', 'Red Hat shows its number beside the activation keys; a Satellite has a label for it.');
    if (organization === undefined || secret === undefined) return undefined;
    return { vendor, ...common, organization, secret, repositories: [...new Set(written.repositories)].toSorted() };
  }
  const modules = [...new Set(written.modules)];
  return { vendor, ...common, ...(secret === undefined ? {} : { secret }), ...(email === undefined ? {} : { email }), modules };
}

/** The name of the secret, where there is one of that name. Its value is fetched when it is needed, and is in no key. */
async function secretOf(scope: Scope, written: Written, vendor: SubscriptionVendor): Promise<string | undefined> {
  const key = vendor === 'rhel' ? 'activation-key' : 'registration-code';
  const given = written[key];
  if (given === undefined) {
    if (vendor === 'rhel' || written.server === undefined)
      scope.problem(['subscription'], `needs \`${key}\``, `\`ingot secret set my-key\` stores it; then write \`${key}: { secret: my-key }\`.`);
    return undefined;
  }
  return (await scope.secretAt(['subscription', key, 'secret'], given.secret))?.secret;
}

async function authority(scope: Scope, { ca }: Written): Promise<string | undefined> {
  if (ca === undefined) return undefined;
  const path: Path = ['subscription', 'ca'];
  const bytes = await scope.textAt(path, ca);
  if (bytes === undefined) return undefined;
  const checked = certificates(Buffer.from(bytes).toString('utf8'));
  if ('value' in checked) return `${checked.value.map((each) => each.trim()).join('\n')}\n`;
  scope.problem(path, checked.message, undefined, { confidential: true });
  return undefined;
}

/** What of an image has to come from repositories. */
export interface WantedPackages {
  readonly update: boolean;
  readonly packages: boolean;
  readonly roles: boolean;
}

/**
 * Refuses packages, roles and updates of a release whose packages are served to customers alone, where the template has neither a subscription nor
 * repositories of its own: throws `subscription-missing`, with the places that ask for them.
 */
export function requireSubscription(scope: Scope, found: FoundBase | undefined, wanted: WantedPackages): void {
  const release = releaseOf(scope, found);
  const { subscription, system } = scope.loaded.template;
  if (release?.subscription === undefined || subscription !== undefined || (system?.repositories ?? []).length > 0) return;
  const keys = Object.entries(wanted).flatMap(([key, asked]) => (asked ? [key] : []));
  if (keys.length === 0) return;
  const { template, tree } = scope.loaded;
  const written = { update: template.update !== 'none', packages: template.packages.length > 0, roles: template.roles.length > 0 };
  const places = Object.entries(written).flatMap(([key, isWritten]) =>
    isWritten ? [{ path: key, message: 'cannot be had without a subscription', place: placeAt(tree, [key]) }] : [],
  );
  throw subscriptionMissing(release, keys.join(', '), places.length === 0 ? [] : placedProblems(places, scope.context.folder));
}

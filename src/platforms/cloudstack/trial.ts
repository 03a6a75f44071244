import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import { randomId } from '../../base/host.ts';
import { makeScratch } from '../../base/scratch.ts';
import { hostPath } from '../../base/types.ts';
import { busyBy } from '../guest-activity.ts';
import { makeSshKey } from '../local/ssh.ts';
import type { Place, PlatformContext, PublishedImage, TargetCheck, ValidateOptions } from '../platform.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { factsOf, type PlaceFacts } from './facts.ts';
import { removeInstance, vmNamed, vmThat } from './instances.ts';
import { REQUESTS } from './requests.ts';
import { rowOf } from './templates.ts';
import { activityOf } from './vm-view.ts';
import { lookInside, NOT_INSIDE } from './trial-guest.ts';

/** Seconds for an instance to be deployed: the first copies the template to primary storage. */
export const DEPLOY_LIMIT = 1800;
/** GiB that the root gets more than the image has, to see it grow. */
const MORE_DISK = 1;

/**
 * Proves a template in its zone on an instance of it: it is deployed, runs, has an address, lets one in by key, has the name that it was given, has grown its
 * root, comes up again, and takes a new password. The instance is expunged afterwards. What it does not do is a check that failed; only a server that cannot
 * be reached is thrown.
 */
export async function tryOut(
  context: PlatformContext,
  client: CloudStackClient,
  place: Place,
  image: PublishedImage,
  options: ValidateOptions,
): Promise<TargetCheck[]> {
  await removeTrial(client, place);
  const facts = factsOf(place);
  const template = await rowOf(client, facts);
  if (template === undefined) throw new IngotError('internal', 'template-missing', 'Nothing was registered that could be tried out');
  const name = trialName(image.name, randomId(context.host.random, 4));
  await place.record({ trial: { name } });
  await using undo = new AsyncDisposableStack();
  // The instance goes after Ctrl-C too.
  undo.defer(() => removeTrial(client.undoing(), place));
  await using scratch = await makeScratch(context.host, context.home, `the trial of ${image.reference}`);
  // One of its own: an account has each key once, and trials run side by side.
  const key = options.ssh ? await makeSshKey(context.host, hostPath(join(scratch.path, 'key'))) : undefined;
  if (key !== undefined) {
    await client.change(REQUESTS.registerKeyPair(name, key.publicKey), {
      what: `registering the key ${name}`,
      look: async () => ((await client.all(REQUESTS.keyPairs(name))).length > 0 ? true : undefined),
    });
  }
  const checks: TargetCheck[] = [];
  const check = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    const { result, value } = await checked(client, what, options.span, work);
    checks.push(result);
    return value;
  };
  const vm = await check('deploy', () => deploy(client, facts, template.id, name, key === undefined ? undefined : name));
  const address = vm === undefined ? undefined : await check('address', () => Promise.resolve(addressOf(vm)));
  if (vm === undefined || address === undefined || key === undefined) {
    const why = vm === undefined || address === undefined ? 'the instance did not come so far' : 'without a login (--no-ssh), nothing inside was looked at';
    const untold = vm === undefined ? ['address', ...NOT_INSIDE] : NOT_INSIDE;
    return [...checks, ...untold.map((what): TargetCheck => ({ name: what, result: 'not-run', detail: why }))];
  }
  const access = { port: 22, user: image.details.defaultUser, key: key.path, knownHosts: hostPath(join(scratch.path, 'known_hosts')) };
  const guest = { name, access: { ...access, address }, stillBusy: busyBy(context.host.clock, () => activityOf(client, vm)) };
  return [...checks, ...(await lookInside(context, client, { vm, guest, facts, grown: facts.diskSize + MORE_DISK, tests: image.tests, span: options.span }))];
}

/** The host name of a trial: a DNS label that nobody else has. */
export function trialName(image: string, suffix: string): string {
  const label = image
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  return `trial-${label === '' ? 'image' : label}-${suffix}`;
}

async function deploy(client: CloudStackClient, facts: PlaceFacts, templateid: string, name: string, keypair: string | undefined): Promise<CsVm> {
  const { offering, networks, bootType, bootMode } = facts.trialMachine;
  const { value } = await client.work(
    REQUESTS.deployVm({
      zoneid: facts.zone.id,
      templateid,
      serviceofferingid: offering.id,
      networkids: networks?.map(({ id }) => id),
      name,
      displayname: name,
      keypairs: keypair === undefined ? undefined : [keypair],
      rootdisksize: facts.diskSize + MORE_DISK,
      // Named each time: what a template says of it is not passed on in every version.
      boottype: bootType,
      bootmode: bootMode,
    }),
    { what: `deploying ${name} in ${facts.zone.name}`, look: () => vmThat(client, name, 'Running'), limit: DEPLOY_LIMIT },
  );
  return value;
}

/** The address at which an instance is reached: that of its default card, IPv4 before IPv6. */
function addressOf({ nic, name }: CsVm): string {
  const card = nic.find(({ isdefault }) => isdefault) ?? nic[0];
  const address = card?.ipaddress ?? card?.ip6address;
  if (address !== undefined) return address;
  throw new IngotError('command', 'guest-silent', `${name} runs and has no address`);
}

/** Expunges the trial and its key, whatever became of them. */
export async function removeTrial(client: CloudStackClient, place: Place): Promise<void> {
  const { trial } = factsOf(place);
  if (trial === undefined) return;
  const vm = await vmNamed(client, trial.name);
  if (vm !== undefined) await removeInstance(client, vm);
  if ((await client.all(REQUESTS.keyPairs(trial.name))).length > 0) {
    await client.change(REQUESTS.deleteKeyPair(trial.name), {
      what: `removing the key ${trial.name}`,
      look: async () => ((await client.all(REQUESTS.keyPairs(trial.name))).length === 0 ? true : undefined),
    });
  }
  await place.record({ trial: undefined });
}

/** Failures that say nothing about the image: nobody could ask. */
const NOT_THE_IMAGE = new Set([
  'server-unreachable',
  'connection-lost',
  'interrupted',
  'key-refused',
  'clock-skew',
  'answer-unknown',
  'certificate-changed',
  'certificate-untrusted',
  'rate-limited',
]);

async function checked<T>(
  client: CloudStackClient,
  name: string,
  span: Span | undefined,
  work: () => Promise<T>,
): Promise<{ readonly result: TargetCheck; readonly value: T | undefined }> {
  const start = client.host.clock.monotonic();
  const seconds = (): number => Math.round((client.host.clock.monotonic() - start) / 100) / 10;
  const shown = span?.child('check', name);
  try {
    const value = await work();
    shown?.end('done');
    return { result: { name, result: 'passed', seconds: seconds() }, value };
  } catch (error) {
    shown?.end('failed');
    if (!(error instanceof IngotError) || NOT_THE_IMAGE.has(error.code)) throw error;
    const detail = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
    return { result: { name, result: 'failed', seconds: seconds(), detail }, value: undefined };
  }
}

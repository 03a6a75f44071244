import { IngotError } from '../../base/errors.ts';
import { lockName } from '../name-lock.ts';
import { targetReference, type PlatformContext } from '../platform.ts';
import type { NewRemoteVm, RemoteVm } from '../remote-vms.ts';
import type { CsVm } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { placeFactsSchema, type PlaceFacts } from './facts.ts';
import { ensureKeyPair } from './key-pairs.ts';
import { PUBLICATION_TAG, tagsOf } from './marks.ts';
import { chooseNetworks } from './plan.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';
import { rowOf } from './templates.ts';
import { DEPLOY_LIMIT } from './trial.ts';
import { destroyInstance, settledVm } from './vm-power.ts';
import { sizeFor, type VmSize } from './vm-size.ts';
import { ASKED_TAG, askedText, findVm, instanceOf, instances, isUnfinished, unfinishedName, USER_TAG, VM_TAG } from './vm-view.ts';

const GIB = 2 ** 30;
/** Characters of user-data in base64 that the API takes; a server takes fewer, unless its settings say otherwise. */
const USER_DATA_LIMIT = 1_048_576;

/** Makes a VM from a template, whole or not at all. Throws `vm-exists`, `place-unfit`, `vm-unfit`. */
export async function createVm(context: PlatformContext, client: CloudStackClient, target: CloudStackTarget, vm: NewRemoteVm): Promise<RemoteVm> {
  const { name, template, machine } = vm;
  refuseUnfit(vm);
  await using _lock = await lockName(context, target, name);
  await refuseTaken(client, target, name);
  const facts = await placeFor(client, target, vm);
  const row = await rowOf(client, facts);
  if (row?.isready !== true) {
    throw new IngotError(
      'not-found',
      'template-gone',
      `The template of ${template.reference} is ${row === undefined ? 'gone from' : 'not ready in'} ${facts.zone.name}`,
      {
        hint: 'Publish the image again: it is made anew.',
      },
    );
  }
  const { offering, network } = target.defaults;
  const size = sizeFor(
    await client.all(REQUESTS.offerings(facts.zone.id)),
    machine,
    { wanted: offering, fallback: facts.trialMachine.offering.id },
    facts.zone,
  );
  const wanted = machine.bridge ?? network;
  const networks = chooseNetworks(
    await client.all(REQUESTS.networks(facts.zone.id)),
    machine.networks ?? (wanted === undefined ? facts.trialMachine.networks?.map(({ id }) => id) : [wanted]),
    facts.zone,
  );
  const keypairs: string[] = [];
  for (const key of machine.sshKeys ?? []) keypairs.push(await ensureKeyPair(client, key));
  try {
    const { value: made } = await client.work(
      REQUESTS.deployVm({
        zoneid: facts.zone.id,
        templateid: row.id,
        serviceofferingid: size.offering.id,
        networkids: networks?.map(({ id }) => id),
        name,
        displayname: unfinishedName(name, template.publication),
        keypairs: keypairs.length === 0 ? undefined : [...new Set(keypairs)],
        rootdisksize: diskSize(vm, facts),
        boottype: facts.trialMachine.bootType,
        bootmode: facts.trialMachine.bootMode,
        userdata: vm.seed?.userData === undefined ? undefined : Buffer.from(vm.seed.userData).toString('base64'),
        ipaddress: addressOf(machine.ip),
        startvm: vm.start ? undefined : false,
        details: size.details,
      }),
      { what: `deploying ${name} in ${facts.zone.name}`, look: () => deployed(client, name, vm.start ? 'Running' : 'Stopped'), limit: DEPLOY_LIMIT },
    );
    await tagVm(client, made, vm, facts, size);
    await client.change(REQUESTS.renameVm(made.id, name), {
      what: `naming ${name}`,
      look: async () => ((await instanceOf(client, made))?.displayname === name ? true : undefined),
    });
    return await findVm(client, target, made.id);
  } catch (error) {
    await undo(client, name);
    throw error;
  }
}

/** What the platform has no words for. Throws `vm-unfit`. */
function refuseUnfit({ name, machine, seed }: NewRemoteVm): void {
  const unfit = (what: string, hint: string): IngotError => new IngotError('usage', 'vm-unfit', what, { hint });
  // Its host name is a label of a domain.
  if (!/^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)) {
    throw unfit(`CloudStack takes no instance called ${name}`, 'Letters, digits and hyphens, up to 63, the first a letter.');
  }
  const network = [machine.vlan, machine.gateway, machine.nameserver].some((value) => value !== undefined);
  if (network)
    throw unfit('VLAN, gateway and DNS server belong to the network there', 'Leave --vlan, --gateway and --nameserver away; --bridge names the network.');
  if (seed?.networkConfig !== undefined || seed?.vendorData !== undefined) {
    throw unfit('CloudStack brings a guest no network configuration and no vendor-data of one’s own', 'Put it into --user-data.');
  }
  const length = Math.ceil(Buffer.byteLength(seed?.userData ?? '') / 3) * 4;
  if (length > USER_DATA_LIMIT)
    throw unfit(`The user-data has ${length} characters in base64, and CloudStack takes ${USER_DATA_LIMIT}`, 'Let it fetch what is large.');
}

/** `192.0.2.10/24` without its prefix, which is the network's. */
function addressOf(ip: string | undefined): string | undefined {
  return ip === undefined || ip === 'dhcp' ? undefined : ip.replace(/\/\d+$/, '');
}

/** GiB of the root disk; undefined for the template's. Throws `disk-shrinks`. */
function diskSize({ disk, name }: NewRemoteVm, { diskSize: least }: PlaceFacts): number | undefined {
  if (disk === undefined) return undefined;
  const size = Math.ceil(disk / GIB);
  if (size >= least) return size;
  throw new IngotError('usage', 'disk-shrinks', `The disk of ${name} cannot be smaller than the template's, which has ${least} GiB`, {
    hint: `Ask for ${least} GiB or more.`,
  });
}

/** The instance of a deployment once it has come to rest as it should; one that did not come up goes, since it would be in the way of another try. */
async function deployed(client: CloudStackClient, name: string, state: string): Promise<CsVm | undefined> {
  const found = (await instances(client, { name })).find(isUnfinished);
  const vm = found === undefined ? undefined : await settledVm(client, found);
  if (vm === undefined || vm.state === state) return vm;
  await destroyInstance(client, vm);
  return undefined;
}

/** Says whose it is; what is said already is left, since a second tag of a name is an error. */
async function tagVm(client: CloudStackClient, { id }: CsVm, { name, template, machine }: NewRemoteVm, facts: PlaceFacts, size: VmSize): Promise<void> {
  const { cpus = size.cpus, memory = size.memory } = machine;
  const wanted = {
    [VM_TAG]: name,
    [PUBLICATION_TAG]: template.publication,
    [USER_TAG]: facts.user ?? 'root',
    ...(cpus === size.cpus && memory === size.memory ? {} : { [ASKED_TAG]: askedText({ cpus, memory }) }),
  };
  await ensureVmTags(client, { id, name }, wanted);
}

/** Gives an instance tags that it should have, and takes one of another value away first. */
export async function ensureVmTags(
  client: CloudStackClient,
  { id, name }: { readonly id: string; readonly name: string },
  wanted: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const read = async (): Promise<Record<string, string>> => tagsOf((await instanceOf(client, { id })) ?? { tags: [] });
  const tags = await read();
  const wrong = Object.fromEntries(Object.entries(tags).filter(([key, value]) => Object.hasOwn(wanted, key) && wanted[key] !== value));
  if (Object.keys(wrong).length > 0) {
    const gone = async (): Promise<true | undefined> => {
      const now = await read();
      return Object.entries(wrong).every(([key, value]) => now[key] !== value) ? true : undefined;
    };
    await client.work(REQUESTS.deleteTags(id, 'UserVm', wrong), { what: `removing tags of ${name}`, look: gone });
  }
  const missing = Object.fromEntries(Object.entries(wanted).flatMap(([key, value]) => (value === undefined || tags[key] === value ? [] : [[key, value]])));
  if (Object.keys(missing).length === 0) return;
  const there = async (): Promise<true | undefined> => {
    const now = await read();
    return Object.entries(missing).every(([key, value]) => now[key] === value) ? true : undefined;
  };
  await client.work(REQUESTS.createTags(id, 'UserVm', missing), { what: `tagging ${name}`, look: there });
}

/** What was being made under that name when it was cut is removed; everything else of that name is in the way. Throws `vm-exists`. */
async function refuseTaken(client: CloudStackClient, target: CloudStackTarget, name: string): Promise<void> {
  for (const vm of await instances(client, { name })) {
    if (isUnfinished(vm)) {
      client.events.message('info', `${name} (${vm.id}) was left half made, and is removed`);
      await destroyInstance(client, vm);
      continue;
    }
    throw new IngotError('conflict', 'vm-exists', `${targetReference(target)} has a VM named ${name}: ${vm.id} in ${vm.zonename ?? vm.zoneid ?? ''}`, {
      hint: 'Choose another name, or delete that one.',
    });
  }
}

async function undo(client: CloudStackClient, name: string): Promise<void> {
  const undoing = client.undoing();
  try {
    for (const vm of await instances(undoing, { name })) if (isUnfinished(vm)) await destroyInstance(undoing, vm);
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    client.events.message('warn', `${name} could not be removed now (${error.message}); making it again does`);
  }
}

/** The template in the zone that is asked for, else in the zone of a template that has the fewest instances. Throws `place-unfit`. */
async function placeFor(client: CloudStackClient, target: CloudStackTarget, { template, place }: NewRemoteVm): Promise<PlaceFacts> {
  const places = template.places.map(({ facts }) => placeFactsSchema.parse(facts));
  if (place !== undefined) {
    const found = places.find(({ zone }) => zone.name === place || zone.id === place);
    if (found !== undefined) return found;
    throw new IngotError('conflict', 'place-unfit', `${template.reference} has no template in the zone ${place}`, {
      hint: `There is one in ${places.map(({ zone }) => zone.name).join(', ')}; \`ingot publish … --to ${targetReference(target)} --zone ${place}\` makes one there.`,
    });
  }
  const crowd = new Map<string, number>();
  if (places.length > 1) for (const { zoneid = '' } of await instances(client)) crowd.set(zoneid, (crowd.get(zoneid) ?? 0) + 1);
  const [best] = places.toSorted((a, b) => (crowd.get(a.zone.id) ?? 0) - (crowd.get(b.zone.id) ?? 0));
  if (best === undefined) throw new IngotError('not-found', 'template-missing', `${template.publication} has no template`);
  return best;
}

import { IngotError, nearest } from '../../base/errors.ts';
import { inPool } from '../../base/pool.ts';
import { rolesOf } from '../../store/model.ts';
import type { MachineWish, PlaceWish, PlannedPlace, PublishedImage, PublishPlan } from '../platform.ts';
import type { CsNetwork, CsOffering, CsOsType, CsZone } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import type { PlaceFacts } from './facts.ts';
import { FORMAT_OF, type HypervisorFormat } from './hypervisors.ts';
import { displayText, templateTags } from './marks.ts';
import { chooseOsType } from './os-types.ts';
import { callsOf } from './planned-calls.ts';
import { isFrom, listZones, serverVersion, viewZone, zonesNamed, zoneTroubles, type Server, type ZoneView } from './probe.ts';
import { REQUESTS } from './requests.ts';
import { checkServeAddress, isPrivate, ownAddressTowards, parseServeAddress } from './serve-address.ts';
import type { CloudStackTarget } from './target.ts';

const ZONES_AT_ONCE = 6;
const GIB = 2 ** 30;
/** MiB below which a guest does not come up in time. */
const LEAST_MEMORY = 512;

interface Looked {
  readonly view: ZoneView;
  readonly offerings: readonly CsOffering[];
  readonly networks: readonly CsNetwork[];
}

/** Chooses zones, formats and the trial's machine, with reasons, and lists the requests that a publication makes. Asks the server and changes nothing. */
export async function planPublication(
  client: CloudStackClient,
  target: CloudStackTarget,
  image: PublishedImage,
  size: { readonly virtual: number; readonly file: number },
  wish: PlaceWish,
  machine: MachineWish,
): Promise<PublishPlan> {
  const server = await serverVersion(client);
  const [zones, osTypes] = [await listZones(client), await client.all(REQUESTS.osTypes())];
  const { chosen, skipped } = chooseZones(zones, wish, target);
  const looked: Looked[] = [];
  await inPool(ZONES_AT_ONCE, chosen, async (zone, _signal, index) => {
    const [view, offerings, networks] = await Promise.all([
      viewZone(client, zone),
      client.all(REQUESTS.offerings(zone.id)),
      client.all(REQUESTS.networks(zone.id)),
    ]);
    looked[index] = { view, offerings, networks };
  });
  const transfer = await chooseTransfer(wish, target);
  const common = { server, osTypes, image, size, wish, machine, target, transfer };
  const places = looked.flatMap((one) => placesOf(one, common));
  const grouped = places.map((place): PlannedPlace => {
    const group = places.filter(({ facts }) => facts.hypervisor === place.facts.hypervisor).map(({ facts }) => facts.zone);
    return { ...place, facts: { ...place.facts, group } };
  });
  return { places: grouped, warnings: [...skipped, ...warningsOf(looked, transfer)], calls: callsOf(places.map(({ facts }) => facts)) };
}

/** The zones that are asked for; without a wish, those of the target, else all that are enabled. Throws `zone-unknown`, `zone-disabled`. */
function chooseZones(zones: readonly CsZone[], wish: PlaceWish, target: CloudStackTarget): { readonly chosen: CsZone[]; readonly skipped: string[] } {
  const names = wish.nodes.length > 0 ? wish.nodes : wish.allNodes ? [] : (target.defaults.zones ?? []);
  const isOpen = ({ allocationstate }: CsZone): boolean => allocationstate === 'Enabled';
  if (names.length > 0) {
    const chosen = zonesNamed(zones, names);
    const closed = chosen.find((zone) => !isOpen(zone));
    if (closed === undefined) return { chosen: [...new Set(chosen)], skipped: [] };
    throw new IngotError('upstream', 'zone-disabled', `The zone ${closed.name} is disabled: nothing would ever arrive there`, {
      hint: 'Enable it (Infrastructure, Zones), or leave it out.',
    });
  }
  const chosen = zones.filter(isOpen);
  if (chosen.length === 0) throw new IngotError('upstream', 'zone-disabled', 'No zone is enabled for this user', { hint: '`ingot target check` shows them.' });
  return { chosen, skipped: zones.filter((zone) => !isOpen(zone)).map(({ name }) => `The zone ${name} is disabled, and gets nothing`) };
}

/** How the file comes there. Throws `serve-address-invalid`, `serve-address-unfit`. */
async function chooseTransfer({ transfer = { kind: 'serve' } }: PlaceWish, target: CloudStackTarget): Promise<PlaceFacts['transfer']> {
  if (transfer.kind !== 'serve') return { ...transfer };
  const wanted = transfer.address ?? target.defaults.serve;
  const { address, port } = wanted === undefined ? { address: await ownAddressTowards(target.url), port: undefined } : parseServeAddress(wanted);
  checkServeAddress(address, target.url);
  const tls = transfer.tls ?? target.defaults.serveTls;
  return { kind: 'serve', address, ...(port === undefined ? {} : { port }), ...(tls === undefined ? {} : { tls }) };
}

interface Common {
  readonly server: Server;
  readonly osTypes: readonly CsOsType[];
  readonly image: PublishedImage;
  readonly size: { readonly virtual: number };
  readonly wish: PlaceWish;
  readonly machine: MachineWish;
  readonly target: CloudStackTarget;
  readonly transfer: PlaceFacts['transfer'];
}
type Planned = PlannedPlace & { readonly facts: PlaceFacts };

/** A place for each hypervisor of a zone for which ingot makes something. Throws `zone-unfit`. */
function placesOf({ view, offerings, networks }: Looked, common: Common): Planned[] {
  const { zone, hypervisors } = view;
  const { image, wish, machine, target, server } = common;
  const usable = hypervisors.filter(
    (name) => FORMAT_OF[name] !== undefined && (wish.hypervisor === undefined || name.toLowerCase() === wish.hypervisor.toLowerCase()),
  );
  if (usable.length === 0) {
    const had = hypervisors.length === 0 ? 'no hypervisor' : hypervisors.join(', ');
    throw new IngotError('usage', 'zone-unfit', `The zone ${zone.name} has ${had}, and nothing can be published for ${wish.hypervisor ?? 'that'}`, {
      hint: `ingot makes templates for ${Object.keys(FORMAT_OF)
        .filter((name) => name !== 'Simulator')
        .join(', ')}.`,
    });
  }
  const osType = chooseOsType(common.osTypes, image.details.release, machine.osType);
  const offering = chooseOffering(offerings, machine.offering ?? target.defaults.offering, zone);
  const chosenNetworks = chooseNetworks(networks, machine.networks ?? (target.defaults.network === undefined ? undefined : [target.defaults.network]), zone);
  return usable.map((hypervisor): Planned => {
    const made = FORMAT_OF[hypervisor];
    if (made === undefined) throw new IngotError('internal', 'hypervisor-unknown', `Nothing is known of ${hypervisor}`);
    const firmware = firmwareOf(image, machine);
    const name = templateName(wish.namePattern, image);
    const facts: PlaceFacts = {
      zone: { id: zone.id, name: zone.name },
      hypervisor,
      format: made.name,
      group: [],
      publication: image.publication,
      name,
      displaytext: displayText(image),
      filename: `${image.name.replaceAll(/[^a-z0-9.-]/g, '-')}-${image.digest.slice('sha256:'.length, 'sha256:'.length + 12)}.${made.format}`,
      osType: { id: osType.id, description: osType.description },
      details: { ...detailsFor(made, firmware), ...machine.details },
      ...(isFrom(server, 4, 20) ? { arch: image.architecture === 'arm64' ? 'aarch64' : 'x86_64' } : {}),
      passwordEnabled: takesPasswords(image.details),
      ...(isNode(image.details) && isFrom(server, 4, 21) ? { cks: true } : {}),
      user: image.details.defaultUser,
      visibility: machine.visibility ?? target.defaults.visibility ?? 'private',
      tags: templateTags(image, hypervisor),
      transfer: common.transfer,
      diskSize: Math.ceil(common.size.virtual / GIB),
      trialMachine: {
        offering: { id: offering.id, name: offering.name },
        ...(chosenNetworks === undefined ? {} : { networks: chosenNetworks.map(({ id, name: called }) => ({ id, name: called })) }),
        bootType: firmware === 'bios' ? 'BIOS' : 'UEFI',
        bootMode: firmware === 'uefi-secure' ? 'SECURE' : 'LEGACY',
      },
    };
    return {
      id: usable.length === 1 ? zone.name : `${zone.name}/${hypervisor}`,
      facts,
      disk: { format: made.format, guest: made.guest, ...(made.options === undefined ? {} : { options: made.options }) },
      why: [
        `${zone.name}: CloudStack ${server.version}, ${hypervisor}, so the template is ${made.name}`,
        `${zone.name}: the OS type is ${osType.description}: ${osType.why}`,
        `${zone.name}: the trial is of the offering ${offering.name}${chosenNetworks === undefined ? '' : ` on ${chosenNetworks.map(({ name: called }) => called).join(', ')}`}`,
        `${zone.name}: ${transferText(common.transfer)}`,
        ...(isNode(image.details)
          ? [
              `${zone.name}: Kubernetes clusters of CloudStack can${isFrom(server, 4, 21) ? '' : 'not'} be made of it${isFrom(server, 4, 21) ? '' : ': that is from 4.21 on'}`,
            ]
          : []),
        `${zone.name}: passwords are ${takesPasswords(image.details) ? 'set and reset by CloudStack' : 'not switched on: the image has nothing that fetches them; its child of the name *-cloudstack has'}`,
      ],
    };
  });
}

/**
 * Whether something in an image fetches passwords: the role, or what cloud-init asks the virtual router with. Where nothing does, switching them on would promise
 * what never comes.
 */
export function takesPasswords(details: Pick<PublishedImage['details'], 'layers'>): boolean {
  return rolesOf(details).includes('cloudstack') || details.layers.some(({ packages }) => packages.some(({ name }) => name === 'wget'));
}

/** Whether an image has what CloudStack's Kubernetes service wants of a node. */
function isNode(details: Pick<PublishedImage['details'], 'layers'>): boolean {
  return rolesOf(details).includes('cks');
}

function transferText(transfer: PlaceFacts['transfer']): string {
  if (transfer.kind === 'upload') return 'the file is uploaded from here to one zone, and copied by CloudStack to the others';
  if (transfer.kind === 'url') return `the file is fetched from ${transfer.url}`;
  return `the file is fetched from this host, at ${transfer.address}${transfer.port === undefined ? '' : `:${transfer.port}`}, over ${transfer.tls === undefined ? 'HTTP' : 'HTTPS'}; its checksum is given with it`;
}

function firmwareOf({ details, architecture }: PublishedImage, { firmware }: MachineWish): 'bios' | 'uefi' | 'uefi-secure' {
  return firmware ?? (details.disk.firmware === 'uefi' || architecture === 'arm64' ? 'uefi' : 'bios');
}

/** Settings that instances inherit. The controller is named, since an unknown OS type would get one that is slow, or one without a driver. */
function detailsFor({ guest, name }: HypervisorFormat, firmware: 'bios' | 'uefi' | 'uefi-secure'): Record<string, string> {
  return {
    ...(guest === 'kvm' && name === 'QCOW2' ? { rootDiskController: 'virtio' } : {}),
    ...(firmware === 'bios' ? {} : { UEFI: firmware === 'uefi-secure' ? 'SECURE' : 'LEGACY' }),
  };
}

/** The name that people choose it by. Throws `name-pattern-invalid`. */
export function templateName(pattern: string | undefined, image: Pick<PublishedImage, 'name' | 'digest' | 'reference'>): string {
  const digest = image.digest.slice('sha256:'.length, 'sha256:'.length + 8);
  const version = image.reference.slice(image.reference.indexOf(':') + 1);
  const name = (pattern ?? '{name}-{digest}')
    .replaceAll('{name}', image.name)
    .replaceAll('{digest}', digest)
    .replaceAll('{version}', version)
    .trim()
    .slice(0, 255);
  if (name !== '') return name;
  throw new IngotError('usage', 'name-pattern-invalid', `"${pattern ?? ''}" makes no name of a template`, {
    hint: 'Use {name}, {version} and {digest}, as in {name}-{version}.',
  });
}

/** The offering of the trial: the named one, else the smallest in which a guest comes up. Throws `offering-unknown`. */
export function chooseOffering(all: readonly CsOffering[], wanted: string | undefined, zone: Pick<CsZone, 'name'>): CsOffering {
  if (wanted !== undefined) return namedOne(all, wanted, 'offering-unknown', `service offering ${wanted} in the zone ${zone.name}`);
  const fitting = all.filter(({ iscustomized, memory = 0, state }) => !iscustomized && memory >= LEAST_MEMORY && (state === undefined || state === 'Active'));
  const [best] = fitting.toSorted((a, b) => (a.memory ?? 0) - (b.memory ?? 0) || (a.cpunumber ?? 0) - (b.cpunumber ?? 0) || (a.name < b.name ? -1 : 1));
  if (best !== undefined) return best;
  throw new IngotError('not-found', 'offering-unknown', `The zone ${zone.name} has no service offering of a fixed size with ${LEAST_MEMORY} MiB or more`, {
    hint: 'Make one, or name one with --offering.',
  });
}

/** The networks of the trial: those named, else the only one; none in a zone without networks of one's own. Throws `network-unknown`, `network-ambiguous`. */
export function chooseNetworks(all: readonly CsNetwork[], wanted: readonly string[] | undefined, zone: Pick<CsZone, 'name'>): CsNetwork[] | undefined {
  if (wanted !== undefined) return wanted.map((name) => namedOne(all, name, 'network-unknown', `network ${name} in the zone ${zone.name}`));
  if (all.length < 2) return all.length === 0 ? undefined : [...all];
  throw new IngotError('usage', 'network-ambiguous', `The zone ${zone.name} has several networks: ${all.map(({ name }) => name).join(', ')}`, {
    hint: 'Say on which one the trial is to be: --network, or once for all `ingot target add` with --network.',
  });
}

export function namedOne<T extends { readonly id: string; readonly name: string }>(all: readonly T[], wanted: string, code: string, what: string): T {
  const found = all.find(({ id, name }) => id === wanted || name === wanted);
  if (found !== undefined) return found;
  const names = all.map(({ name }) => name);
  const near = nearest(wanted, names);
  throw new IngotError('not-found', code, `There is no ${what}`, {
    hint: names.length === 0 ? 'This user sees none at all.' : `There are ${(near.length > 0 ? near : names.slice(0, 20)).join(', ')}.`,
  });
}

function warningsOf(looked: readonly Looked[], transfer: PlaceFacts['transfer']): string[] {
  const troubles = looked.flatMap(({ view }) => zoneTroubles(view).map(({ what, remedy }) => `In the zone ${view.zone.name} ${what}. ${remedy}`));
  return [
    ...troubles,
    ...(transfer.kind === 'serve' && isPrivate(transfer.address)
      ? [`${transfer.address} is of a private network: secondary storage VMs fetch from there only if secstorage.allowed.internal.sites names it`]
      : []),
  ];
}

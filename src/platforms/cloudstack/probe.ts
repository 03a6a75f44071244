import { IngotError, nearest } from '../../base/errors.ts';
import type { CsCapabilities, CsImageStore, CsZone } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { REQUESTS, type CsList } from './requests.ts';

/** What a server is, as far as it is asked for once. */
export interface Server {
  readonly version: string;
  readonly major: number;
  readonly minor: number;
  readonly capabilities: CsCapabilities;
}

/** Versions before this one sign and register otherwise. */
const OLDEST = { major: 4, minor: 18 };

/** The version of a server. Throws `cloudstack-too-old` before 4.18. */
export async function serverVersion(client: CloudStackClient): Promise<Server> {
  const capabilities = await client.call(REQUESTS.capabilities());
  const version = capabilities.cloudstackversion;
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor)) {
    throw new IngotError('host', 'cloudstack-too-old', `The server runs CloudStack ${version}, and ingot needs 4.18 or later`, {
      hint: 'Export the image (`ingot image export`) and register it by hand there.',
    });
  }
  return { version, major, minor, capabilities };
}

/** Whether a server has what came with a version. */
export function isFrom(server: Server, major: number, minor: number): boolean {
  return server.major > major || (server.major === major && server.minor >= minor);
}

/** A list, or nothing where the user may not see it: clusters, stores and system VMs are for administrators. */
export async function ifAllowed<T>(client: CloudStackClient, request: CsList<T>): Promise<T[] | undefined> {
  try {
    return await client.all(request);
  } catch (error) {
    // What a role does not allow is answered like a wrong key; by now the key has been accepted.
    if (error instanceof IngotError && ['command-missing', 'permission-missing', 'key-refused'].includes(error.code)) return undefined;
    throw error;
  }
}

/** What one sees of a zone. What is undefined may not be seen by this user. */
export interface ZoneView {
  readonly zone: CsZone;
  readonly enabled: boolean;
  /** Of its enabled clusters, or what the zone says that it has. */
  readonly hypervisors: readonly string[];
  readonly systemVms: readonly { readonly name: string; readonly type: string; readonly state: string; readonly agent: string | undefined }[] | undefined;
  readonly stores: readonly CsImageStore[] | undefined;
}

/** All zones, in the order of their names. */
export async function listZones(client: CloudStackClient): Promise<CsZone[]> {
  return (await client.all(REQUESTS.zones())).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** What there is in a zone. */
export async function viewZone(client: CloudStackClient, zone: CsZone): Promise<ZoneView> {
  const [clusters, systemVms, stores] = await Promise.all([
    ifAllowed(client, REQUESTS.clusters(zone.id)),
    ifAllowed(client, REQUESTS.systemVms(zone.id)),
    ifAllowed(client, REQUESTS.imageStores(zone.id)),
  ]);
  const enabled = (clusters ?? []).filter(({ allocationstate }) => allocationstate === 'Enabled').map(({ hypervisortype }) => hypervisortype);
  const hypervisors = enabled.length > 0 ? enabled : (await client.all(REQUESTS.hypervisors(zone.id))).map(({ name }) => name);
  return {
    zone,
    enabled: zone.allocationstate === 'Enabled',
    hypervisors: [...new Set(hypervisors)].toSorted(),
    systemVms: systemVms?.map(({ name, systemvmtype, state, agentstate }) => ({ name, type: systemvmtype, state, agent: agentstate })),
    stores,
  };
}

/** The zones that are named, by name or id. Throws `zone-unknown` with the nearest names. */
export function zonesNamed(zones: readonly CsZone[], names: readonly string[]): CsZone[] {
  return names.map((name) => {
    const found = zones.find((zone) => zone.name === name || zone.id === name);
    if (found !== undefined) return found;
    const known = zones.map((zone) => zone.name);
    const near = nearest(name, known);
    throw new IngotError('not-found', 'zone-unknown', `There is no zone ${name}`, {
      hint: known.length === 0 ? 'This user sees no zone at all.' : `There are ${(near.length > 0 ? near : known).join(', ')}.`,
    });
  });
}

/** What keeps a zone from taking a template, in words; nothing where all that is seen of it is well. */
export function zoneTroubles({ enabled, systemVms, stores, zone }: ZoneView): { readonly what: string; readonly remedy: string }[] {
  const troubles: { readonly what: string; readonly remedy: string }[] = [];
  if (!enabled) troubles.push({ what: `the zone ${zone.name} is disabled`, remedy: 'Infrastructure, Zones: enable it.' });
  const ssvms = systemVms?.filter(({ type }) => type === 'secondarystoragevm');
  if (ssvms !== undefined && !ssvms.some(({ state, agent }) => state === 'Running' && (agent === undefined || agent === 'Up'))) {
    const seen = ssvms.map(({ name, state, agent }) => `${name} is ${state}, its agent ${agent ?? 'unknown'}`).join('; ');
    troubles.push({
      what: ssvms.length === 0 ? 'it has no secondary storage VM' : `no secondary storage VM works: ${seen}`,
      remedy: 'Infrastructure, System VMs: start it, or destroy it, and another one is made; /usr/local/cloud/systemvm/ssvm-check.sh in it says what is wrong.',
    });
  }
  if (stores !== undefined) {
    const usable = stores.filter(({ readonly }) => !readonly);
    if (usable.length === 0)
      troubles.push({
        what: stores.length === 0 ? 'it has no secondary storage' : 'its secondary storage is read-only',
        remedy: 'Infrastructure, Secondary storage: add one.',
      });
    else if (usable.every(isFull)) {
      troubles.push({
        what: `its secondary storage is full: ${usable.map(({ name, disksizeused = 0, disksizetotal = 1 }) => `${name} ${Math.round((100 * disksizeused) / disksizetotal)} %`).join(', ')}`,
        remedy: 'Remove old templates and snapshots, or add a store: Infrastructure, Secondary storage.',
      });
    }
  }
  return troubles;
}

/** The server takes nothing more from here on: secstorage.capacity.threshold. */
const FULL = 0.9;

function isFull({ disksizetotal, disksizeused }: CsImageStore): boolean {
  return disksizetotal !== undefined && disksizeused !== undefined && disksizetotal > 0 && disksizeused / disksizetotal >= FULL;
}

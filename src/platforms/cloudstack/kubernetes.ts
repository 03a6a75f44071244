import { IngotError, nearest } from '../../base/errors.ts';
import type { Span } from '../../base/events.ts';
import type { KubernetesVersions, KubernetesVersionView, NewKubernetesVersion } from '../kubernetes-versions.ts';
import type { CsKubernetesVersion, CsZone } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { listZones, serverVersion, zonesNamed } from './probe.ts';
import { REQUESTS } from './requests.ts';
import { waitArrived } from './wait.ts';

/** What CloudStack's own Kubernetes service asks of a node at least; memory in MiB. */
const [LEAST_CPUS, LEAST_MEMORY] = [2, 2048];
const MIB = 2 ** 20;

/** Versions for the Kubernetes service of CloudStack (CKS); each word is told in {@link KubernetesVersions}. */
export function kubernetesVersions(client: CloudStackClient): KubernetesVersions {
  return {
    list: async (zone) => (await versions(client, zone)).map(viewOf),
    add: (version, span) => addVersion(client, version, span),
    remove: (wanted, { zone }) => removeVersion(client, wanted, zone),
  };
}

/** The newest first. Throws `kubernetes-missing`. */
async function versions(client: CloudStackClient, zone?: string): Promise<CsKubernetesVersion[]> {
  const { capabilities } = await serverVersion(client);
  if (!capabilities.kubernetesserviceenabled) {
    throw new IngotError('host', 'kubernetes-missing', 'The Kubernetes service of this CloudStack is switched off', {
      hint: 'An administrator sets cloud.kubernetes.service.enabled to true, and starts the management server again.',
    });
  }
  const [found] = zone === undefined ? [] : zonesNamed(await listZones(client), [zone]);
  const all = await client.all(REQUESTS.kubernetesVersions(found?.id));
  return all.toSorted((a, b) => compare(b.semanticversion, a.semanticversion) || (a.id < b.id ? -1 : 1));
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function viewOf({ id, semanticversion, name, zonename, zoneid, state, mincpunumber, minmemory }: CsKubernetesVersion): KubernetesVersionView {
  return {
    id,
    version: semanticversion,
    name: name ?? semanticversion,
    zone: zonename ?? zoneid ?? 'all',
    enabled: state !== 'Disabled',
    ...(mincpunumber === undefined ? {} : { cpus: mincpunumber }),
    ...(minmemory === undefined ? {} : { memory: minmemory * MIB }),
  };
}

async function addVersion(client: CloudStackClient, wish: NewKubernetesVersion, span: Span | undefined): Promise<KubernetesVersionView> {
  const { version, url, sha256, cpus, memory } = wish;
  checkWish(wish);
  const all = await listZones(client);
  const zones = wish.zone === undefined ? all.filter(({ allocationstate }) => allocationstate === 'Enabled') : zonesNamed(all, [wish.zone]);
  const zoneid = wish.zone === undefined ? undefined : zones[0]?.id;
  const there = async (): Promise<CsKubernetesVersion | undefined> =>
    (await versions(client)).find((one) => one.semanticversion === version && one.zoneid === zoneid);
  const before = await there();
  if (before !== undefined) client.events.message('info', `Kubernetes ${version} is there already`);
  const request = REQUESTS.addKubernetesVersion({
    semanticversion: version,
    name: wish.name ?? `v${version}`,
    url,
    checksum: sha256 === undefined ? undefined : `{SHA-256}${sha256}`,
    mincpunumber: cpus,
    minmemory: memory,
    zoneid,
  });
  const added = before ?? (await client.change(request, { what: `adding Kubernetes ${version}`, look: there }));
  try {
    await arrive(client, added, zones, url, span);
  } catch (error) {
    // One whose ISO does not come is offered to users all the same. What was there before this run is not its to remove; after Ctrl-C it goes on coming.
    if (before === undefined && error instanceof IngotError && error.class !== 'interrupted') await remove(client.undoing(), added);
    throw error;
  }
  return viewOf(added);
}

/** Throws `version-invalid`, `node-too-small`. */
function checkWish({ version, cpus, memory }: NewKubernetesVersion): void {
  if (!/^\d+\.\d+\.\d+$/.test(version)) {
    throw new IngotError('usage', 'version-invalid', `"${version}" is no version of Kubernetes`, { hint: 'It has three numbers, as in 1.33.1.' });
  }
  if (cpus >= LEAST_CPUS && memory >= LEAST_MEMORY) return;
  throw new IngotError('usage', 'node-too-small', `A node needs ${LEAST_CPUS} processors and ${LEAST_MEMORY} MiB at least`);
}

/** Waits in all zones at once, and for all of them, so that each that fails is told. */
async function arrive(
  client: CloudStackClient,
  { isoid, semanticversion }: CsKubernetesVersion,
  zones: readonly CsZone[],
  url: string,
  span: Span | undefined,
): Promise<void> {
  if (isoid === undefined) return;
  const name = `the ISO of Kubernetes ${semanticversion}`;
  const ended = await Promise.allSettled(
    zones.map(async (zone) => {
      const shown = span?.child('stage', zone.name);
      const row = async () => (await client.all(REQUESTS.isos(isoid))).find(({ zoneid }) => zoneid === zone.id);
      try {
        await waitArrived(client, { name, zone: { id: zone.id, name: zone.name }, transfer: { kind: 'url', url, sha256: '' }, row }, { span: shown });
        shown?.end('done');
      } catch (error) {
        shown?.end('failed');
        throw error;
      }
    }),
  );
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

async function removeVersion(client: CloudStackClient, wanted: string, zone: string | undefined): Promise<KubernetesVersionView> {
  const all = await versions(client, zone);
  const found = all.filter(({ id, semanticversion, name }) => [id, semanticversion, name].includes(wanted));
  const [only] = found;
  if (only === undefined) {
    const near = nearest(
      wanted,
      all.map(({ semanticversion }) => semanticversion),
    );
    throw new IngotError('not-found', 'kubernetes-version-unknown', `There is no version ${wanted} of Kubernetes`, {
      hint: near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `There are ${all.map(({ semanticversion }) => semanticversion).join(', ') || 'none'}.`,
    });
  }
  if (found.length > 1) {
    throw new IngotError(
      'conflict',
      'kubernetes-version-ambiguous',
      `There are ${found.length} versions ${wanted}: ${found.map((one) => `${one.id} (${viewOf(one).zone})`).join(', ')}`,
      {
        hint: 'Name it by its identifier, or its zone with --zone.',
      },
    );
  }
  await remove(client, only);
  return viewOf(only);
}

async function remove(client: CloudStackClient, { id, semanticversion }: CsKubernetesVersion): Promise<void> {
  const gone = async (): Promise<true | undefined> => ((await client.all(REQUESTS.kubernetesVersions())).some((one) => one.id === id) ? undefined : true);
  await client.work(REQUESTS.deleteKubernetesVersion(id), { what: `removing Kubernetes ${semanticversion}`, look: gone });
}

import { randomUUID } from 'node:crypto';
import type { SimCloud, Values } from './cloud.ts';
import { urlFault } from './download.ts';
import { SimRefusal, type SimKubernetesVersion, type SimTemplate } from './model.ts';
import { downloadDetails, listed, type Handler } from './template-routes.ts';

/* Versions of the Kubernetes service, and the ISO images that they bring. */

function versionAnswer(cloud: SimCloud, { id, semanticversion, name, zoneid, mincpunumber, minmemory, iso }: SimKubernetesVersion): Record<string, unknown> {
  return {
    ...{ id, semanticversion, name, mincpunumber, minmemory, isoid: iso, isoname: `${name}-Kubernetes-Binaries-ISO` },
    // Of the record, not of the bytes: an ISO is active from the first.
    ...{ state: 'Enabled', isostate: 'Active', supportsha: true },
    ...(zoneid === undefined ? {} : { zoneid, zonename: cloud.zones.get(zoneid)?.name }),
  };
}

function isoOf(cloud: SimCloud, name: string, url: string, checksum: string): SimTemplate {
  const template: SimTemplate = {
    ...{ id: randomUUID(), name, displaytext: name, format: 'ISO', hypervisor: 'None', checksum, ostypeid: undefined, url },
    ...{ fields: {}, details: {}, ispublic: true, isfeatured: false, crossZones: false, tags: new Map(), rows: new Map() },
    created: new Date().toISOString(),
  };
  cloud.isos.set(template.id, template);
  return template;
}

function add(cloud: SimCloud, values: Values): unknown {
  const { semanticversion = '', name = semanticversion, url = '', checksum = '', zoneid } = values;
  const [mincpunumber, minmemory] = [Number(values['mincpunumber']), Number(values['minmemory'])];
  if (!/^\d+\.\d+\.\d+$/.test(semanticversion)) throw new SimRefusal(431, `Invalid version format: ${semanticversion}`);
  if (mincpunumber < 2) throw new SimRefusal(431, 'Invalid value for mincpunumber parameter. Minimum 2 vCPUs required');
  if (minmemory < 2048) throw new SimRefusal(431, 'Invalid value for minmemory parameter. Minimum 2GB memory required');
  const fault = urlFault(url, 'ISO', cloud.allowLoopback);
  if (fault !== undefined) throw new SimRefusal(431, fault);
  const zones = zoneid === undefined ? [...cloud.zones.values()] : [cloud.zone(zoneid)];
  const iso = isoOf(cloud, `${name}-Kubernetes-Binaries-ISO`, url, checksum);
  for (const zone of zones) if (cloud.takes(zone)) cloud.startDownload(iso, cloud.newRow(iso, zone.id, ''));
  const version: SimKubernetesVersion = { id: randomUUID(), semanticversion, name, zoneid, mincpunumber, minmemory, iso: iso.id };
  cloud.kubernetesVersions.set(version.id, version);
  return { kubernetessupportedversion: versionAnswer(cloud, version) };
}

export const KUBERNETES_ROUTES: Readonly<Record<string, Handler>> = {
  // One that is of no zone is of all.
  listKubernetesSupportedVersions: async (cloud, values) => {
    await cloud.advance();
    const found = [...cloud.kubernetesVersions.values()].filter(
      ({ zoneid }) => [values['zoneid'], undefined].includes(zoneid) || values['zoneid'] === undefined,
    );
    return listed(
      'kubernetessupportedversion',
      found.map((one) => versionAnswer(cloud, one)),
      values,
    );
  },
  addKubernetesSupportedVersion: add,
  deleteKubernetesSupportedVersion: (cloud, { id = '' }) => {
    const version = cloud.kubernetesVersions.get(id);
    if (version === undefined) throw new SimRefusal(431, 'Invalid Kubernetes version id specified: entity does not exist');
    return {
      jobid: cloud.job('deleteKubernetesSupportedVersion', () => {
        cloud.isos.delete(version.iso);
        return Promise.resolve({ success: cloud.kubernetesVersions.delete(id) });
      }),
    };
  },
  listIsos: async (cloud, values) => {
    await cloud.advance();
    const rows = [...cloud.isos.values()]
      .filter(({ id }) => values['id'] === undefined || values['id'] === id)
      .flatMap(({ id, name, rows: all }) =>
        [...all.values()].map((row) => ({
          ...{ id, name, zoneid: row.zoneid, zonename: cloud.zones.get(row.zoneid)?.name, isready: row.ready, status: row.status },
          downloaddetails: downloadDetails(row),
        })),
      );
    return listed('iso', rows, values);
  },
};

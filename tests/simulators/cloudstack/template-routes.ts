import { createHmac, randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import type { SimCloud, Values } from './cloud.ts';
import { SimRefusal, type SimRow, type SimTemplate } from './model.ts';
import { urlFault } from './download.ts';

export type Handler = (cloud: SimCloud, values: Values) => unknown;

/** Filters that show templates which can be used alone. */
const HIDES_UNREADY = new Set(['featured', 'community', 'selfexecutable', 'sharedexecutable', 'executable']);

export function listed<T>(key: string, all: readonly T[], values: Values): Record<string, unknown> {
  const size = Math.min(Number(values['pagesize'] ?? 500), 500);
  const start = values['page'] === undefined ? 0 : (Number(values['page']) - 1) * size;
  // An empty list has neither count nor key.
  return all.length === 0 ? {} : { count: all.length, [key]: all.slice(start, start + size) };
}

function rowAnswer(cloud: SimCloud, template: SimTemplate, row: SimRow): Record<string, unknown> {
  const { id, name, displaytext, format, hypervisor, checksum, ispublic, isfeatured, crossZones, details, fields, ostypeid, created } = template;
  return {
    ...{ id, name, displaytext, format, hypervisor, ispublic, isfeatured, crossZones, created, ostypeid, ...fields },
    // The server keeps the digits alone.
    checksum: checksum.replace(/^\{[^}]*\}/, ''),
    ostypename: cloud.osTypes.find((type) => type.id === ostypeid)?.description,
    zoneid: row.zoneid,
    zonename: cloud.zones.get(row.zoneid)?.name,
    isready: row.ready,
    status: row.status,
    details,
    tags: tagsShown(template.tags),
    downloaddetails: downloadDetails(row),
  };
}

/** How far a download is, as it is told. */
export function downloadDetails(row: SimRow): readonly Record<string, string>[] {
  if (row.ready) return [];
  return [{ datastore: 'secondary', downloadPercent: String(row.percent), downloadState: row.failed ? 'DOWNLOAD_ERROR' : 'DOWNLOAD_IN_PROGRESS' }];
}

async function listTemplates(cloud: SimCloud, values: Values): Promise<unknown> {
  await cloud.advance();
  const { id, name, zoneid, templatefilter = '' } = values;
  const rows = [...cloud.templates.values()]
    .filter((template) => (id === undefined || template.id === id) && (name === undefined || template.name === name))
    .flatMap((template) => [...template.rows.values()].map((row) => ({ template, row })))
    .filter(({ row }) => (zoneid === undefined || row.zoneid === zoneid) && (row.ready || !HIDES_UNREADY.has(templatefilter)));
  return listed(
    'template',
    rows.map(({ template, row }) => rowAnswer(cloud, template, row)),
    values,
  );
}

/** What both ways of registering check. */
function checkNew(cloud: SimCloud, values: Values): void {
  const { hypervisor = '', format = '', ostypeid } = values;
  const wanted: Readonly<Record<string, readonly string[]>> = { KVM: ['QCOW2', 'RAW'], XenServer: ['VHD'], VMware: ['OVA'], Simulator: ['VHD'] };
  if (wanted[hypervisor]?.includes(format) !== true) throw new SimRefusal(431, `The ${format} format is not supported by ${hypervisor}`);
  if (ostypeid === undefined) throw new SimRefusal(431, 'Guest OS type is required');
  if (!cloud.osTypes.some(({ id }) => id === ostypeid)) throw new SimRefusal(431, `Invalid parameter ostypeid value=${ostypeid}: entity does not exist`);
}

function registerTemplate(cloud: SimCloud, values: Values): unknown {
  checkNew(cloud, values);
  const { zoneid, zoneids, url = '', format = '' } = values;
  if ((zoneid === undefined) === (zoneids === undefined))
    throw new SimRefusal(431, 'Parameters zoneid and zoneids cannot be specified together, and one is needed');
  const fault = urlFault(url, format, cloud.allowLoopback);
  if (fault !== undefined) throw new SimRefusal(431, fault);
  const ids = (zoneids ?? zoneid ?? '').split(',');
  const chosen = ids[0] === '-1' ? [...cloud.zones.keys()] : ids;
  for (const id of chosen) cloud.zone(id);
  const template = cloud.newTemplate(values, url);
  for (const id of chosen) {
    if (!cloud.takes(cloud.zone(id))) continue;
    const row = cloud.newRow(template, id, '');
    cloud.startDownload(template, row);
  }
  return {
    count: template.rows.size,
    template: [...template.rows.values()].map((row) => rowAnswer(cloud, template, row)),
  };
}

/** The key that only the management server and its SSVMs share. */
export const POST_KEY = 'a key of the installation';

function uploadParameters(cloud: SimCloud, values: Values, uploadUrl: string): unknown {
  checkNew(cloud, values);
  const zone = cloud.zone(values['zoneid'] ?? '');
  if (!cloud.takes(zone)) throw new SimRefusal(530, `Unable to find secondary storage with free capacity in zone ${zone.name}`);
  if (zone.ssvm !== 'Running') throw new SimRefusal(534, 'There is no secondary storage VM for downloading template to image store');
  const template = cloud.newTemplate(values, undefined);
  cloud.newRow(template, zone.id, 'Upload not yet started');
  const postURL = `${uploadUrl}/upload/${randomUUID()}`;
  const metadata = Buffer.from(JSON.stringify({ id: template.id, zone: zone.id, checksum: template.checksum, format: template.format })).toString('base64');
  const expires = new Date(Date.now() + cloud.skewSeconds * 1000 + 3_600_000).toISOString();
  return {
    id: template.id,
    postURL,
    metadata,
    expires,
    signature: createHmac('sha1', POST_KEY)
      .update(metadata + postURL + expires)
      .digest('base64'),
  };
}

/** The handler of getUploadParamsForTemplate, which has to know where uploads go. */
export function uploadRoute(uploadUrl: () => string): Handler {
  return (cloud, values) => ({ getuploadparams: uploadParameters(cloud, values, uploadUrl()) });
}

function deleteTemplate(cloud: SimCloud, { id = '', zoneid, forced }: Values): unknown {
  const template = cloud.template(id);
  const everywhere = zoneid === undefined || template.crossZones;
  const users = [...cloud.vms.values()].filter((vm) => vm.templateid === id && (everywhere || vm.zoneid === zoneid));
  if (users.length > 0 && forced !== 'true')
    throw new SimRefusal(431, `Unable to delete template with id: ${id} because VM instances: [${users.map(({ name }) => name).join(', ')}] are using it.`);
  return {
    jobid: cloud.job('deleteTemplate', () => {
      // A template of all zones goes from all of them, whatever zone was named.
      if (everywhere) template.rows.clear();
      else template.rows.delete(zoneid ?? '');
      if (template.rows.size === 0) cloud.templates.delete(id);
      return Promise.resolve({ success: true });
    }),
  };
}

function copyTemplate(cloud: SimCloud, { id = '', sourcezoneid = '', destzoneids = '' }: Values): unknown {
  const template = cloud.template(id);
  const source = template.rows.get(sourcezoneid);
  if (source?.ready !== true || source.file === undefined) throw new SimRefusal(431, `The template ${template.name} is not ready in the source zone`);
  const { file } = source;
  const targets = destzoneids.split(',').map((one) => cloud.zone(one));
  return {
    jobid: cloud.job('copyTemplate', async () => {
      for (const zone of targets) {
        if (template.rows.has(zone.id)) continue;
        if (!cloud.takes(zone) || zone.ssvm !== 'Running')
          throw new SimRefusal(530, `Unable to find secondary storage with free capacity in zone ${zone.name}`);
        const row = cloud.newRow(template, zone.id, '');
        const copy = cloud.nextFile();
        await copyFile(file, copy);
        cloud.arrived(row, copy);
      }
      return { template: { id } };
    }),
  };
}

function setPermissions(cloud: SimCloud, { id = '', ispublic, isfeatured }: Values): unknown {
  const template = cloud.template(id);
  if (ispublic !== undefined) template.ispublic = ispublic === 'true';
  if (isfeatured !== undefined) template.isfeatured = isfeatured === 'true';
  return { success: 'true' };
}

export function tagsShown(tags: ReadonlyMap<string, string>): { readonly key: string; readonly value: string }[] {
  return [...tags].map(([key, value]) => ({ key, value }));
}

function tagsIn(values: Values): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    const index = /^tags\[(\d+)\]\.key$/.exec(name)?.[1];
    if (index !== undefined) found.set(value, values[`tags[${index}].value`] ?? '');
  }
  return found;
}

function createTags(cloud: SimCloud, values: Values): unknown {
  const { resourceids: id = '', resourcetype = '' } = values;
  const tags = cloud.tagsOf(id);
  return {
    jobid: cloud.job('createTags', () => {
      for (const [key, value] of tagsIn(values)) {
        if (tags.has(key)) throw new SimRefusal(530, `tag ${key} already on ${resourcetype} with id ${id}`);
        tags.set(key, value);
      }
      return Promise.resolve({ success: true });
    }),
  };
}

function deleteTags(cloud: SimCloud, values: Values): unknown {
  const tags = cloud.tagsOf(values['resourceids'] ?? '');
  return {
    jobid: cloud.job('deleteTags', () => {
      const all = tagsIn(values);
      for (const [key, value] of all)
        if (tags.get(key) !== value) throw new SimRefusal(431, `Unable to find any tags which conform to specified delete parameters: ${key}`);
      for (const key of all.keys()) tags.delete(key);
      return Promise.resolve({ success: true });
    }),
  };
}

export const TEMPLATE_ROUTES: Readonly<Record<string, Handler>> = {
  listTemplates,
  registerTemplate,
  deleteTemplate,
  copyTemplate,
  updateTemplatePermissions: setPermissions,
  createTags,
  deleteTags,
};

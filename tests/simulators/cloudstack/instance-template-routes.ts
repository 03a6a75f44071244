import { randomUUID } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import type { SimCloud, Values } from './cloud.ts';
import { SimRefusal, type SimDiskSnapshot, type SimTemplate, type SimVm } from './model.ts';
import { listed, type Handler } from './template-routes.ts';

/* Templates that are made of instances, the snapshots of disks that they can be made of, and templates that are given out. */

function diskOf(cloud: SimCloud, volume: string): SimVm {
  const vm = [...cloud.vms.values()].find((one) => one.volume === volume);
  if (vm === undefined) throw new SimRefusal(431, `Invalid parameter volumeid value=${volume} due to incorrect long value format, or entity does not exist`);
  return vm;
}

function snapshotOf(cloud: SimCloud, id: string) {
  const snapshot = cloud.diskSnapshots.get(id);
  if (snapshot === undefined)
    throw new SimRefusal(431, `Invalid parameter snapshotid value=${id} due to incorrect long value format, or entity does not exist`);
  return snapshot;
}

/** The bytes of what an instance was made of stand for its disk, whatever it has written since. */
function createTemplate(cloud: SimCloud, values: Values): unknown {
  const { volumeid, snapshotid, ostypeid = '' } = values;
  if ((volumeid === undefined) === (snapshotid === undefined)) throw new SimRefusal(431, 'Please provide either a volume id or a snapshot id');
  if (!cloud.osTypes.some(({ id }) => id === ostypeid)) throw new SimRefusal(431, `Invalid parameter ostypeid value=${ostypeid}: entity does not exist`);
  const volume = volumeid ?? snapshotOf(cloud, snapshotid ?? '').volume;
  const vm = diskOf(cloud, volume);
  if (volumeid !== undefined && vm.state !== 'Stopped')
    throw new SimRefusal(530, 'Unable to create private template for volume: ROOT-1; volume is attached to a non-stopped VM, please stop the VM first');
  const source = cloud.template(vm.templateid);
  const { format, hypervisor, fields } = source;
  // Whether it may be downloaded is as it was for what the instance was made of.
  const template = cloud.newTemplate({ ...values, format, hypervisor, isextractable: String(fields['isextractable']) }, undefined);
  const row = cloud.newRow(template, vm.zoneid, 'Creating');
  const run = async (): Promise<unknown> => {
    const file = source.rows.get(vm.zoneid)?.file;
    if (file === undefined) throw new SimRefusal(530, 'Failed to create template: its source is gone');
    const copy = cloud.nextFile();
    await copyFile(file, copy);
    cloud.arrived(row, copy);
    return { template: { id: template.id, name: template.name } };
  };
  return { id: template.id, jobid: cloud.job('createTemplate', run, () => void cloud.templates.delete(template.id)) };
}

function fileName(template: SimTemplate): string {
  return `${randomUUID()}.${template.format.toLowerCase()}`;
}

/** The same address each time, until it expires. */
function extractTemplate(cloud: SimCloud, { id = '', zoneid = '' }: Values, origin: string): unknown {
  const template = cloud.template(id);
  if (template.rows.get(zoneid)?.ready !== true) throw new SimRefusal(431, 'The template is not ready there');
  if (template.fields['isextractable'] !== true) throw new SimRefusal(431, `Unable to extract template id=${id} as it's not extractable`);
  return {
    jobid: cloud.job('extractTemplate', () => {
      const known = [...cloud.served].find(([, one]) => one.template === id && one.zone === zoneid)?.[0];
      const name = known ?? fileName(template);
      cloud.served.set(name, { template: id, zone: zoneid });
      return Promise.resolve({
        template: { id, name: template.name, zoneid, extractMode: 'HTTP_DOWNLOAD', state: 'DOWNLOAD_URL_CREATED', url: `${origin}/userdata/${name}` },
      });
    }),
  };
}

/** The handler of extractTemplate, which has to know where files are served. */
export function extractRoute(origin: () => string): Handler {
  return (cloud, values) => extractTemplate(cloud, values, origin());
}

export const INSTANCE_TEMPLATE_ROUTES: Readonly<Record<string, Handler>> = {
  createTemplate,
  listSnapshots: async (cloud, values) => {
    await cloud.advance();
    return listed(
      'snapshot',
      [...cloud.diskSnapshots.values()]
        .filter(({ volume }) => values['volumeid'] === undefined || values['volumeid'] === volume)
        .map(({ id, name, volume, state }) => ({ id, name, volumeid: volume, state, snapshottype: 'MANUAL' })),
      values,
    );
  },
  createSnapshotFromVMSnapshot: (cloud, { vmsnapshotid = '', volumeid = '', name = '' }) => {
    const vm = diskOf(cloud, volumeid);
    if (cloud.template(vm.templateid).hypervisor !== 'KVM') throw new SimRefusal(431, 'Unsupported hypervisor type. This supports KVM only');
    if (!vm.snapshots.some(({ id }) => id === vmsnapshotid))
      throw new SimRefusal(431, `Creating snapshot failed due to vmSnapshot:${vmsnapshotid} doesn't exist`);
    const snapshot: SimDiskSnapshot = { id: randomUUID(), name, volume: volumeid, state: 'BackingUp' };
    cloud.diskSnapshots.set(snapshot.id, snapshot);
    const run = (): Promise<unknown> => {
      snapshot.state = 'BackedUp';
      return Promise.resolve({ snapshot: { id: snapshot.id, name } });
    };
    return { id: snapshot.id, jobid: cloud.job('createSnapshotFromVMSnapshot', run, () => void cloud.diskSnapshots.delete(snapshot.id)) };
  },
  deleteSnapshot: (cloud, { id = '' }) => {
    snapshotOf(cloud, id);
    return { jobid: cloud.job('deleteSnapshot', () => Promise.resolve({ success: cloud.diskSnapshots.delete(id) })) };
  },
};

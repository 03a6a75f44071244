import { IngotError } from '../../base/errors.ts';
import type { PlatformContext } from '../platform.ts';
import type { RemoteVm, RemoteVms } from '../remote-vms.ts';
import type { CloudStackClient } from './client.ts';
import { REQUESTS } from './requests.ts';
import type { CloudStackTarget } from './target.ts';
import { accessVm } from './vm-access.ts';
import { deleteVm, migrateVm, refuseClone, resizeVm } from './vm-change.ts';
import { createVm } from './vm-make.ts';
import { startVm, stopVm } from './vm-power.ts';
import { makeTemplate } from './vm-template.ts';
import { deleteSnapshot, listSnapshots, restoreVm, snapshotVm } from './vm-snapshots.ts';
import { activityOf, findVm, listVms, vmDetails } from './vm-view.ts';

/** Instances on CloudStack; each word is told in {@link RemoteVms}. */
export function cloudStackVms(context: PlatformContext, client: CloudStackClient, target: CloudStackTarget): RemoteVms {
  return {
    list: ({ all }) => listVms(client, target, all),
    find: (name) => findVm(client, target, name),
    details: (vm) => vmDetails(client, vm),
    create: (vm) => createVm(context, client, target, vm),
    start: (vm) => startVm(client, vm),
    stop: (vm, options) => stopVm(client, vm, options),
    delete: (vm) => deleteVm(context, client, target, vm),
    access: (vm) => accessVm(context, client, target, vm),
    activity: (vm) => activityOf(client, vm),
    console: (vm) => consoleOf(client, vm),
    clone: (vm) => refuseClone(vm),
    resize: (vm, to) => resizeVm(client, target, vm, to),
    migrate: (vm, place) => migrateVm(client, target, vm, place),
    snapshots: (vm) => listSnapshots(client, vm),
    snapshot: (vm, snapshot) => snapshotVm(client, vm, snapshot),
    restore: (vm, snapshot) => restoreVm(client, vm, snapshot),
    deleteSnapshot: (vm, snapshot) => deleteSnapshot(client, vm, snapshot),
    makeTemplate: (vm, template) => makeTemplate(client, vm, template),
  };
}

/** The address of a console, with a token that is good for one session. Throws `console-missing`. */
async function consoleOf(client: CloudStackClient, vm: RemoteVm): Promise<string> {
  const { success, url, details } = await client.call(REQUESTS.consoleEndpoint(vm.id));
  if (success && url !== undefined) return url;
  throw new IngotError('upstream', 'console-missing', `CloudStack shows no console of ${vm.name}${details === undefined ? '' : `: ${details}`}`, {
    hint: 'It shows those of running instances, through a console proxy of the zone.',
  });
}

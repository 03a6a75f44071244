import type { PlatformContext } from '../platform.ts';
import type { RemoteAccess, RemoteVm, RemoteVms } from '../remote-vms.ts';
import type { ProxmoxClient } from './client.ts';
import { startMachine } from './machines.ts';
import { parseProperties } from './properties.ts';
import type { ProxmoxTarget } from './target.ts';
import { activityOf, waitForAddress, waitForAgent, waitForContainer } from './trial.ts';
import { deleteSnapshot, deleteVm, migrateVm, resizeVm, restoreVm, snapshotVm, stopVm } from './vm-change.ts';
import { cloneVm, createVm } from './vm-make.ts';
import { addressNow, consoleUrl, existingConfig, findVm, listSnapshots, listVms, machineOf, vmDetails, type Kind } from './vm-view.ts';

/** VMs on Proxmox VE; each word is told in {@link RemoteVms}. */
export function proxmoxVms(context: PlatformContext, client: ProxmoxClient, target: ProxmoxTarget, kind: Kind = 'vm'): RemoteVms {
  return {
    list: ({ all }) => listVms(client, target, all, kind),
    find: (name) => findVm(client, target, name, kind),
    details: (vm) => vmDetails(client, target, vm),
    create: (vm) => createVm(context, client, target, vm),
    start: (vm, span) => startMachine(client, machineOf(vm), span),
    stop: (vm, options, span) => stopVm(client, vm, options, span),
    delete: (vm) => deleteVm(client, vm),
    access: (vm) => (kind === 'vm' ? accessVm(client, vm) : accessContainer(client, vm)),
    activity: (vm) => activityOf(client, machineOf(vm)),
    console: (vm) => Promise.resolve(consoleUrl(target, vm)),
    clone: (vm, to, span) => cloneVm(context, client, target, vm, to, span),
    resize: (vm, to, span) => resizeVm(client, vm, to, span),
    migrate: (vm, place, span) => migrateVm(client, vm, place, span),
    snapshots: (vm) => listSnapshots(client, vm),
    snapshot: (vm, snapshot, span) => snapshotVm(client, vm, snapshot, span),
    restore: (vm, snapshot, span) => restoreVm(client, vm, snapshot, span),
    deleteSnapshot: (vm, snapshot, span) => deleteSnapshot(client, vm, snapshot, span),
  };
}

async function accessVm(client: ProxmoxClient, vm: RemoteVm): Promise<RemoteAccess> {
  const machine = machineOf(vm);
  await waitForAgent(client, machine);
  const address = await waitForAddress(client, machine);
  const config = await existingConfig(client, vm);
  // Numbers are given again, and the clone of a VM has a host key of its own.
  const uuid = parseProperties(config['smbios1'] ?? '')['uuid'] ?? vm.id;
  return { address, port: 22, user: config['ciuser'] ?? 'root', identity: `${vm.on}-${uuid}` };
}

/** A container has no agent: the node looks into its network itself. The keys that it was made with are root's. */
async function accessContainer(client: ProxmoxClient, vm: RemoteVm): Promise<RemoteAccess> {
  const machine = machineOf(vm);
  const address = await waitForContainer(client, machine, () => addressNow(client, machine));
  // The address of its card is one that no other ever has.
  const card = parseProperties((await existingConfig(client, vm))['net0'] ?? '')['hwaddr'] ?? vm.id;
  return { address, port: 22, user: 'root', identity: `${vm.on}-${card}` };
}

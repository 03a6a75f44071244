import { alignColumns } from '../base/columns.ts';
import { formatSize } from '../base/types.ts';
import type { RemoteVm, RemoteVmDetails } from '../platforms/remote-vms.ts';
import { countOf } from './image-text.ts';

/** VMs of a target as a table. */
export function remoteVmsTable(vms: readonly RemoteVm[]): string {
  const size = (bytes: number | undefined): string => (bytes === undefined ? '-' : formatSize(bytes));
  const rows = vms.map((vm) => [vm.name, vm.state, vm.id, vm.place, String(vm.cpus ?? '-'), size(vm.memory), size(vm.disk), vm.ours ? 'yes' : 'no']);
  return alignColumns([['NAME', 'STATE', 'ID', 'PLACE', 'CPUS', 'MEMORY', 'DISK', 'OURS'], ...rows]);
}

/** Everything about a VM of a target. */
export function remoteVmText(vm: RemoteVmDetails): string {
  const machine = [
    ...(vm.cpus === undefined ? [] : [countOf(vm.cpus, 'processor')]),
    ...(vm.memory === undefined ? [] : [`${formatSize(vm.memory)} of memory`]),
    ...(vm.disk === undefined ? [] : [`a disk of ${formatSize(vm.disk)}`]),
  ];
  const login = vm.address === undefined ? 'its guest has told no address' : `${vm.user ?? 'root'}@${vm.address}`;
  const lines: readonly (readonly [string, string])[] = [
    ['Name', vm.name],
    ['On', `${vm.on}, ${vm.place}, as ${vm.id}`],
    ['State', vm.state],
    ['Made by', vm.ours ? 'ingot' : 'somebody else, or its notes were changed'],
    ...(vm.image === undefined ? [] : [['Image', vm.image] as const]),
    ...(machine.length === 0 ? [] : [['Machine', machine.join(', ')] as const]),
    ['SSH', login],
    ...(vm.snapshots === 0 ? [] : [['Snapshots', String(vm.snapshots)] as const]),
    ...(vm.console === undefined ? [] : [['Console', vm.console] as const]),
  ];
  return lines.map(([label, text]) => `${label.padEnd(9)} ${text}`).join('\n');
}

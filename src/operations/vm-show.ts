import * as z from 'zod';
import { formatSize, parseName } from '../base/types.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { describeForward } from '../platforms/local/forwards.ts';
import { vmState } from '../platforms/local/machine-state.ts';
import { describeShare } from '../platforms/local/shares.ts';
import { viewOf, vmViewSchema } from '../platforms/local/view.ts';
import { diskUsed, loadVm } from '../platforms/local/vms.ts';
import { countOf } from './image-text.ts';
import { remoteVmDetailsSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';
import { remoteVmText } from './vm-on-text.ts';

const localSchema = vmViewSchema.extend({
  /** QEMU's own word: `running`, `paused`, `io-error` where the host's disk is full. */
  guest: z.string().optional(),
  disks: z.array(z.object({ name: z.string(), size: z.int().describe('Bytes'), standsOn: z.int().describe('Frozen files above the image') })),
  snapshot: z.string().optional().describe('The snapshot that its disks stand on'),
  suspended: z.object({ bytes: z.int() }).optional().describe('Of the file that holds its memory'),
  diskUsed: z.number().describe('Bytes that its own disks take on the host, without its image and what it shares with others'),
  folder: z.string(),
  consoleLog: z.string(),
});

export default defineOperation({
  name: 'vm show',
  summary: 'Show everything about a virtual machine',
  kind: 'query',
  input: z.object({ name: vmNameInput, on: onInput }),
  output: localSchema.or(remoteVmDetailsSchema),
  examples: [
    { command: 'ingot vm show web', does: 'shows the VM web: state, image, size, how to reach it' },
    { command: 'ingot vm show web --on proxmox:home', does: 'the same of one on a target' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      return await onVm(context, { on: input.on, name: input.name }, 'Looking at', (vms, vm) => vms.details(vm));
    }
    const name = parseName(input.name, 'a VM');
    const { host, home } = context;
    const vm = await loadVm(host, home, name);
    const state = await vmState(context, vm, STATUS_SECONDS);
    const folder = home.vm(name);
    return {
      ...viewOf(vm, state),
      ...(state.status === undefined ? {} : { guest: state.status }),
      disks: vm.disks.map(({ name: disk, size, frozen }) => ({ name: disk, size, standsOn: frozen.length })),
      ...(vm.standsOn === undefined ? {} : { snapshot: vm.standsOn }),
      ...(vm.suspended === undefined ? {} : { suspended: { bytes: vm.suspended.bytes } }),
      diskUsed: await diskUsed(host, home, vm),
      folder,
      consoleLog: guestFiles(folder).console,
    };
  },
  render(vm) {
    if ('on' in vm) return remoteVmText(vm);
    const state = vm.pid === undefined ? vm.state : `${vm.state} (process ${vm.pid})`;
    const hints: Partial<Record<typeof vm.state, string>> = {
      'disk-full': `, paused since the host's disk is full: free some space, then \`ingot vm resume ${vm.name}\``,
      paused: `, \`ingot vm resume ${vm.name}\` lets it go on`,
      suspended: `, with ${formatSize(vm.suspended?.bytes ?? 0)} of memory in a file`,
    };
    const flags = [...(vm.protected ? ['protected'] : []), ...(vm.autostart ? ['starts with the host'] : [])];
    const lines: readonly (readonly [string, string])[] = [
      ['Name', vm.name],
      ['State', `${state}${hints[vm.state] ?? ''}`],
      ['Image', `${vm.image.reference} (${vm.image.digest})`],
      ['Machine', `${vm.arch}, ${vm.firmware}, ${countOf(vm.cpus, 'processor')}, ${formatSize(vm.memory)} of memory`],
      ...vm.disks.map(
        ({ name, size, standsOn }) => ['Disk', `${name}, ${formatSize(size)}${standsOn === 0 ? '' : `, on ${countOf(standsOn, 'frozen file')}`}`] as const,
      ),
      ['Used', `${formatSize(vm.diskUsed)} on the host, without what it shares with others`],
      ['SSH', `${vm.ssh.user}@127.0.0.1, port ${vm.ssh.port}${vm.ssh.password ? ', with a password too' : ''}`],
      ...vm.forwards.map((forward, index) => [index === 0 ? 'Ports' : '', describeForward(forward)] as const),
      ...vm.shares.map((share, index) => [index === 0 ? 'Shares' : '', describeShare(share)] as const),
      ...(vm.tpm ? [['TPM', '2.0, its state in the folder of the VM'] as const] : []),
      ...(vm.snapshots === 0 ? [] : [['Snapshots', `${vm.snapshots}${vm.snapshot === undefined ? '' : `, it stands on ${vm.snapshot}`}`] as const]),
      ...(flags.length === 0 ? [] : [['Flags', flags.join(', ')] as const]),
      ['Created', vm.created],
      ['Console', vm.consoleLog],
    ];
    return lines.map(([label, text]) => `${label.padEnd(9)} ${text}`).join('\n');
  },
});

/** For QEMU's answer. */
const STATUS_SECONDS = 2;

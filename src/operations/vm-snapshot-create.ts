import * as z from 'zod';
import { formatSize, parseName } from '../base/types.ts';
import { freeSnapshotName } from '../platforms/local/snapshot-tree.ts';
import { createSnapshots } from '../platforms/local/snapshots.ts';
import { remoteSnapshotSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { snapshotOutput, snapshotView } from './snapshot-output.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm snapshot create',
  summary: 'Make a snapshot of a virtual machine, or of several at one moment',
  description:
    'It takes no time and no space: the disks go on in new files above. A running VM has its filesystems frozen for a moment through the guest agent; where none answers, they are as after a power cut. With --ram its memory is kept too, and restoring goes on at that moment instead of booting.',
  kind: 'job',
  input: z.object({
    name: vmNameInput.describe("The VM's name; several with commas in between"),
    on: onInput,
    snapshot: z.string().min(1).optional().describe("The snapshot's name; default snapshot-1, snapshot-2, …").meta({ positional: true }),
    ram: z.boolean().default(false).describe('With the memory of the machine'),
    description: z.string().max(500).optional().describe('What it is for').meta({ placeholder: 'TEXT' }),
  }),
  output: z.array(snapshotOutput.extend({ vm: z.string() }).or(remoteSnapshotSchema.extend({ vm: z.string(), on: z.string() }))),
  examples: [
    { command: 'ingot vm snapshot create web before-update', does: 'makes a snapshot of the VM web' },
    { command: 'ingot vm snapshot create web --ram', does: 'keeps its memory too' },
    { command: 'ingot vm snapshot create web,db,cache before-update', does: 'makes one of three VMs, at one moment' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      const { on, ram: memory, description } = input;
      return await onVm(context, { on, name: input.name }, 'Snapshot of', async (vms, vm, span) => {
        const snapshot = parseName(input.snapshot ?? freeSnapshotName([{ snapshots: await vms.snapshots(vm) }]), 'a snapshot');
        await vms.snapshot(vm, { name: snapshot, memory, description }, span);
        return (await vms.snapshots(vm)).filter(({ name }) => name === snapshot).map((one) => ({ vm: vm.name, on, ...one }));
      });
    }
    const names = input.name.split(',').map((text) => parseName(text.trim(), 'a VM'));
    const made = await createSnapshots(context, names, {
      name: input.snapshot === undefined ? undefined : parseName(input.snapshot, 'a snapshot'),
      ram: input.ram,
      description: input.description,
    });
    return made.map(({ vm, snapshot }) => ({ vm: vm.name, ...snapshotView(snapshot, { current: true, depth: 0 }) }));
  },
  render: (made) =>
    made
      .map(
        ({ vm, name, ...one }) =>
          `${vm} has the snapshot ${name}${'ram' in one && one.ram ? `, with ${formatSize(one.bytes)} of memory` : ''}. \`ingot vm snapshot restore ${vm} ${name}${'on' in one ? ` --on ${one.on}` : ''}\` goes back to it.`,
      )
      .join('\n'),
});

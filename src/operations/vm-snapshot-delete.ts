import * as z from 'zod';
import { formatSize, parseName } from '../base/types.ts';
import { deleteSnapshot } from '../platforms/local/snapshots.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, snapshotNameInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm snapshot delete',
  summary: 'Delete a snapshot of a virtual machine',
  description: 'The VM stays as it is. Files that the VM, other snapshots or clones stand on stay too, until nothing does any more.',
  kind: 'job',
  input: z.object({ name: vmNameInput, on: onInput, snapshot: snapshotNameInput }),
  output: z.object({
    name: z.string(),
    snapshot: z.string(),
    freed: z.number().optional().describe("Bytes of the host's disk that came back; not known of a target's"),
  }),
  examples: [{ command: 'ingot vm snapshot delete web before-update', does: 'deletes a snapshot of the VM web' }],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      await onVm(context, { on: input.on, name: input.name }, 'Deleting a snapshot of', (vms, vm, span) => vms.deleteSnapshot(vm, input.snapshot, span));
      return { name: input.name, snapshot: input.snapshot };
    }
    const name = parseName(input.name, 'a VM');
    return { name, snapshot: input.snapshot, freed: await deleteSnapshot(context, name, input.snapshot) };
  },
  render: ({ name, snapshot, freed }) => `${name} has no snapshot ${snapshot} any more${freed === undefined ? '' : `; ${formatSize(freed)} came back`}.`,
});

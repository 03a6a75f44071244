import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { labName } from '../lab/find.ts';
import { deleteLabSnapshot } from '../lab/snapshot.ts';
import { loadAnyLab } from '../lab/state.ts';
import { labPosition } from './lab-input.ts';
import { defineOperation } from './operation.ts';
import { snapshotNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'lab snapshot delete',
  summary: 'Delete a snapshot of all virtual machines of a lab',
  kind: 'job',
  input: z.object({ lab: labPosition, snapshot: snapshotNameInput }),
  output: z.object({ lab: z.string(), snapshot: z.string(), freed: z.int().optional().describe("Bytes of this host; not known of a target's") }),
  examples: [{ command: 'ingot lab snapshot delete shop before-update', does: 'deletes it from every VM of the lab shop' }],
  async run(input, context) {
    const lab = await labName(context, input.lab);
    const state = await loadAnyLab(context.host, context.home, lab);
    if ('platform' in state) {
      const [{ onLab }, { deleteRemoteLabSnapshot }] = await Promise.all([import('./lab-on.ts'), import('../lab/remote/use.ts')]);
      await onLab(context, state, (vms) => deleteRemoteLabSnapshot(context, lab, state, vms, input.snapshot));
      return { lab, snapshot: input.snapshot };
    }
    return { lab, snapshot: input.snapshot, freed: await deleteLabSnapshot(context, lab, input.snapshot) };
  },
  render: ({ lab, snapshot, freed }) => `${snapshot} of the lab ${lab} is deleted${freed === undefined ? '' : `; ${formatSize(freed)} are free again`}.`,
});

import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { labName } from '../lab/find.ts';
import { deleteLabSnapshot } from '../lab/snapshot.ts';
import { whereLab } from './lab-where.ts';
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
    const { snapshot } = input;
    const freed = await whereLab(
      context,
      lab,
      async () => ({ freed: await deleteLabSnapshot(context, lab, snapshot) }),
      async ({ use, state, vms }) => {
        await use.deleteRemoteLabSnapshot(context, lab, state, vms, snapshot);
        return {};
      },
    );
    return { lab, snapshot, ...freed };
  },
  render: ({ lab, snapshot, freed }) => `${snapshot} of the lab ${lab} is deleted${freed === undefined ? '' : `; ${formatSize(freed)} are free again`}.`,
});

import * as z from 'zod';
import { formatSize } from '../base/types.ts';
import { labName } from '../lab/find.ts';
import { deleteLabSnapshot } from '../lab/snapshot.ts';
import { labPosition } from './lab-input.ts';
import { defineOperation } from './operation.ts';
import { snapshotNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'lab snapshot delete',
  summary: 'Delete a snapshot of all virtual machines of a lab',
  kind: 'job',
  input: z.object({ lab: labPosition, snapshot: snapshotNameInput }),
  output: z.object({ lab: z.string(), snapshot: z.string(), freed: z.int().describe('Bytes') }),
  examples: [{ command: 'ingot lab snapshot delete shop before-update', does: 'deletes it from every VM of the lab shop' }],
  async run(input, context) {
    const lab = await labName(context, input.lab);
    return { lab, snapshot: input.snapshot, freed: await deleteLabSnapshot(context, lab, input.snapshot) };
  },
  render: ({ lab, snapshot, freed }) => `${snapshot} of the lab ${lab} is deleted; ${formatSize(freed)} are free again.`,
});

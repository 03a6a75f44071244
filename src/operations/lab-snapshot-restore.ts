import * as z from 'zod';
import { labName } from '../lab/find.ts';
import { restoreLab } from '../lab/snapshot.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { labSnapshotOutput } from './lab-snapshot-text.ts';
import { defineOperation } from './operation.ts';
import { snapshotNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'lab snapshot restore',
  summary: 'Put all virtual machines of a lab back to a snapshot',
  description:
    'What was written since is lost. VMs that were made later stay as they are. With a memory they go on at that moment, else they stay off until `lab up`, which also applies files and scripts that came later.',
  kind: 'job',
  input: z.object({
    lab: labPosition,
    snapshot: snapshotNameInput,
    start: z.boolean().optional().describe('Start them afterwards; default: where the snapshot has a memory'),
    force: z.boolean().default(false).describe('Also where they run: they are ended first'),
  }),
  output: labSnapshotOutput,
  examples: [{ command: 'ingot lab snapshot restore shop before-update --force', does: 'puts every VM of the lab shop back' }],
  async run(input, context) {
    const lab = await labName(context, input.lab);
    const { snapshot, force, start } = input;
    const request = { snapshot, force, start };
    return await whereLab(
      context,
      lab,
      () => restoreLab(context, lab, request),
      ({ use, state, vms }) => use.restoreRemoteLab(context, lab, state, vms, request),
    );
  },
  render: ({ name, members }) => `${members.join(', ')} are back at ${name}.`,
});

import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { labName } from '../lab/find.ts';
import { snapshotLab } from '../lab/snapshot.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { labSnapshotOutput } from './lab-snapshot-text.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'lab snapshot create',
  summary: 'Make a snapshot of all virtual machines of a lab, at one moment',
  description: 'They stand still until the last one is done. Each VM has a snapshot of this name then, which `vm snapshot` knows too.',
  kind: 'job',
  input: z.object({
    lab: labPosition,
    snapshot: z.string().min(1).optional().describe("The snapshot's name; default snapshot-1, snapshot-2, …").meta({ positional: true }),
    ram: z.boolean().default(false).describe('With the memory of the machines, which have to run'),
    description: z.string().max(500).optional().describe('What it is for').meta({ placeholder: 'TEXT' }),
  }),
  output: labSnapshotOutput,
  examples: [{ command: 'ingot lab snapshot create shop before-update', does: 'makes a snapshot of every VM of the lab shop' }],
  async run(input, context) {
    const name = input.snapshot === undefined ? undefined : parseName(input.snapshot, 'a snapshot');
    const lab = await labName(context, input.lab);
    const { ram, description } = input;
    return await whereLab(
      context,
      lab,
      () => snapshotLab(context, lab, { name, ram, description }),
      ({ use, state, vms }) => use.snapshotRemoteLab(context, lab, state, vms, { name: name ?? parseName('', 'a snapshot'), ram, description }),
    );
  },
  render: ({ name, members }) => `${members.join(', ')} have the snapshot ${name}.`,
});

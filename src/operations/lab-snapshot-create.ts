import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { labName } from '../lab/find.ts';
import { snapshotLab } from '../lab/snapshot.ts';
import { loadAnyLab } from '../lab/state.ts';
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
    const state = await loadAnyLab(context.host, context.home, lab);
    if ('platform' in state) {
      const [{ onLab }, { snapshotRemoteLab }] = await Promise.all([import('./lab-on.ts'), import('../lab/remote/use.ts')]);
      const request = { name: parseName(input.snapshot ?? '', 'a snapshot'), ram, description };
      return await onLab(context, state, (vms) => snapshotRemoteLab(context, lab, state, vms, request));
    }
    return await snapshotLab(context, lab, { name, ram, description });
  },
  render: ({ name, members }) => `${members.join(', ')} have the snapshot ${name}.`,
});

import * as z from 'zod';
import { labName } from '../lab/find.ts';
import { labSnapshots } from '../lab/snapshot.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { labSnapshotOutput } from './lab-snapshot-text.ts';
import { defineOperation } from './operation.ts';
import { timeText } from './snapshot-output.ts';
import { renderTable } from './table.ts';

export default defineOperation({
  name: 'lab snapshot list',
  summary: 'List the snapshots of a lab',
  kind: 'query',
  input: z.object({ lab: labPosition }),
  output: z.array(labSnapshotOutput),
  examples: [{ command: 'ingot lab snapshot list shop', does: 'shows the snapshots that VMs of the lab shop have' }],
  async run(input, context) {
    const lab = await labName(context, input.lab);
    return await whereLab(
      context,
      lab,
      () => labSnapshots(context, lab),
      ({ use, state, vms }) => use.remoteLabSnapshots(state, vms),
    );
  },
  render(snapshots, options) {
    if (snapshots.length === 0) return 'It has no snapshot yet. `ingot lab snapshot create LAB` makes one.';
    return renderTable(
      [{ title: 'NAME' }, { title: 'CREATED' }, { title: 'MEMORY' }, { title: 'MEMBERS', shrink: 'wrap' }],
      snapshots.map(({ name, created, ram, members, without }) => [
        name,
        timeText(created),
        ram ? 'yes' : '-',
        `${members.join(', ')}${without.length === 0 ? '' : `; not ${without.join(', ')}`}`,
      ]),
      options,
    );
  },
});

import * as z from 'zod';
import { labName } from '../lab/find.ts';
import { labSnapshots } from '../lab/snapshot.ts';
import { loadAnyLab } from '../lab/state.ts';
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
    const state = await loadAnyLab(context.host, context.home, lab);
    if (!('platform' in state)) return await labSnapshots(context, lab);
    const [{ onLab }, { remoteLabSnapshots }] = await Promise.all([import('./lab-on.ts'), import('../lab/remote/use.ts')]);
    return await onLab(context, state, (vms) => remoteLabSnapshots(state, vms));
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

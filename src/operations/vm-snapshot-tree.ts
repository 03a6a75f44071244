import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { snapshotOutput, snapshotViews, timeText, type SnapshotOutput } from './snapshot-output.ts';
import { styled } from './table.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm snapshot tree',
  summary: 'Show which snapshot of a virtual machine stands on which',
  kind: 'query',
  input: z.object({ name: vmNameInput }),
  output: z.object({ name: z.string(), snapshots: z.array(snapshotOutput) }),
  examples: [{ command: 'ingot vm snapshot tree web', does: 'draws the snapshots of the VM web, and where it stands' }],
  async run(input, context) {
    const vm = await loadVm(context.host, context.home, parseName(input.name, 'a VM'));
    return { name: vm.name, snapshots: snapshotViews(vm) };
  },
  render({ name, snapshots }, options) {
    if (snapshots.length === 0) return `${name} has no snapshot yet. \`ingot vm snapshot create ${name}\` makes one.`;
    const lines = snapshots.map((one, index) => {
      const notes = [timeText(one.created), ...(one.ram ? ['with memory'] : []), ...(one.description === undefined ? [] : [one.description])].join(', ');
      const mark = one.current ? styled(`  <- ${name} stands here`, 'green', options) : '';
      return `${branches(snapshots, index)}${one.name}  ${styled(notes, 'dim', options)}${mark}`;
    });
    return [name, ...lines].join('\n');
  },
});

/** The lines in front of a row: those of its own branch, and of all that go on below it. */
function branches(rows: readonly SnapshotOutput[], index: number): string {
  const depth = rows[index]?.depth ?? 0;
  const goesOn = (level: number): boolean => {
    const next = rows.slice(index + 1).find((row) => row.depth <= level);
    return next?.depth === level;
  };
  const bars = Array.from({ length: depth }, (_, level) => (goesOn(level) ? '│  ' : '   ')).join('');
  return `${bars}${goesOn(depth) ? '├─ ' : '└─ '}`;
}

import * as z from 'zod';
import { formatSize, parseName } from '../base/types.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { remoteSnapshotSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { snapshotOutput, snapshotViews, timeText } from './snapshot-output.ts';
import { renderTable } from './table.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm snapshot list',
  summary: 'List the snapshots of a virtual machine',
  kind: 'query',
  input: z.object({ name: vmNameInput, on: onInput }),
  output: z.array(snapshotOutput.or(remoteSnapshotSchema)),
  examples: [{ command: 'ingot vm snapshot list web', does: 'shows the snapshots of the VM web, with the one that it stands on' }],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      return await onVm(context, { on: input.on, name: input.name }, 'Looking at', (vms, vm) => vms.snapshots(vm));
    }
    const vm = await loadVm(context.host, context.home, parseName(input.name, 'a VM'));
    return snapshotViews(vm).toSorted((a, b) => a.created.localeCompare(b.created));
  },
  render(snapshots, options) {
    if (snapshots.length === 0) return 'There is no snapshot yet. `ingot vm snapshot create NAME` makes one.';
    return renderTable(
      [{ title: 'NAME' }, { title: 'CREATED' }, { title: 'MEMORY', right: true }, { title: 'STANDS ON' }, { title: 'DESCRIPTION', shrink: true }],
      snapshots.map((one) => [
        'current' in one ? { text: `${one.name}${one.current ? ' *' : ''}`, style: one.current ? 'bold' : 'dim' } : one.name,
        one.created === undefined ? '-' : timeText(one.created),
        'ram' in one && one.ram ? formatSize(one.bytes) : '-',
        one.parent ?? '-',
        one.description ?? '',
      ]),
      options,
    );
  },
});

import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatSize, parseName } from '../base/types.ts';
import { addDisk, removeDisk } from '../platforms/local/disk-change.ts';
import { parseDiskName, parseNewDisk } from '../platforms/local/extra-disks.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm disk',
  summary: 'Add disks to a virtual machine, remove them, or show them',
  description:
    'A disk that is added is empty; the machine finds it as /dev/disk/by-id/virtio-NAME, at once where it runs. Removing one removes what is on it, but for what snapshots have; a running machine must have unmounted it.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    action: z.enum(['list', 'add', 'remove']).describe('What to do').meta({ positional: true }),
    disk: z.string().optional().describe('NAME=SIZE to add one, NAME to remove it').meta({ positional: true }),
    force: z.boolean().default(false).describe('Remove it although the machine may use it'),
  }),
  output: z.object({
    name: z.string(),
    disks: z.array(z.object({ name: z.string(), size: z.int().describe('Bytes') })),
    effect: z.enum(['now', 'at-next-start']).optional().describe('When the machine sees what was added'),
  }),
  examples: [
    { command: 'ingot vm disk web add data=20GiB', does: 'gives the VM web an empty disk: /dev/disk/by-id/virtio-data' },
    { command: 'ingot vm disk web remove data', does: 'takes it away again, with what is on it' },
    { command: 'ingot vm disk web list', does: 'shows its disks' },
  ],
  async run({ name: text, action, disk, force }, context) {
    const name = parseName(text, 'a VM');
    if (action !== 'list' && disk === undefined) {
      throw new IngotError('usage', 'disk-missing', `Which disk to ${action} is not said`, {
        hint: `Such as: ingot vm disk ${name} ${action} data${action === 'add' ? '=20GiB' : ''}`,
      });
    }
    const effect = action === 'add' ? await addDisk(context, name, parseNewDisk(disk ?? '')) : undefined;
    if (action === 'remove') await removeDisk(context, name, disk === 'root' ? disk : parseDiskName(disk ?? ''), { force });
    const { disks } = await loadVm(context.host, context.home, name);
    return { name, disks: disks.map((each) => ({ name: each.name, size: each.size })), ...(effect === undefined ? {} : { effect }) };
  },
  render: ({ name, disks, effect }, options) =>
    [
      renderTable(
        [{ title: 'DISK' }, { title: 'SIZE', right: true }],
        disks.map((disk) => [disk.name, formatSize(disk.size)]),
        options,
      ),
      ...(effect === 'at-next-start' ? [`${name} sees it when it is started the next time.`] : []),
    ].join('\n'),
});

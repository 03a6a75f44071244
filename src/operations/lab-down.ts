import * as z from 'zod';
import { deleteLab, stopLab } from '../lab/down.ts';
import { labName } from '../lab/find.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

const WORDS = { 'shut-down': 'has shut down', forced: 'was ended by force', 'not-running': 'was not running', deleted: 'is deleted' } as const;

export default defineOperation({
  name: 'lab down',
  summary: 'Shut the virtual machines of a lab down, or delete them',
  description:
    'VMs that wait for others are shut down before those. Disks stay, and `lab up` starts all again; with --delete the VMs go, and the lab with them.',
  kind: 'job',
  input: z.object({
    lab: labPosition,
    delete: z.boolean().default(false).describe('Delete the VMs with their disks, once you agree'),
    timeout: z.number().positive().max(86_400).default(90).describe('Seconds until one is ended by force').meta({ placeholder: 'SECONDS' }),
    force: z.boolean().default(false).describe('End them by force at once'),
  }),
  output: z.object({
    name: z.string(),
    members: z.array(z.object({ member: z.string(), vm: z.string(), result: z.enum(['shut-down', 'forced', 'not-running', 'deleted']) })).readonly(),
  }),
  examples: [
    { command: 'ingot lab down shop', does: 'shuts down all VMs of the lab shop' },
    { command: 'ingot lab down lab.yaml --delete --yes', does: 'deletes the lab of that file without asking' },
  ],
  async run(input, context) {
    const name = await labName(context, input.lab);
    return await whereLab(
      context,
      name,
      () => (input.delete ? deleteLab(context, name) : stopLab(context, name, input)),
      ({ use, state, vms }) => (input.delete ? use.deleteRemoteLab(context, name, state, vms) : use.stopRemoteLab(context, name, state, vms, input)),
    );
  },
  render: ({ name, members }, options) =>
    members.length === 0
      ? `The lab ${name} has no VMs.`
      : renderTable(
          [{ title: 'MEMBER' }, { title: 'VM' }, { title: 'RESULT' }],
          members.map(({ member, vm, result }) => [member, vm, WORDS[result]]),
          options,
        ),
});

import * as z from 'zod';
import { labFile } from '../lab/find.ts';
import { readLab } from '../lab/read.ts';
import { labUp } from '../lab/up.ts';
import { imageOfMember } from './lab-images.ts';
import { labFilePosition } from './lab-input.ts';
import { defineOperation } from './operation.ts';
import { renderTable } from './table.ts';

const WORDS = { ready: 'ready', made: 'made, not started', unchanged: 'as it was', failed: 'failed', 'not-started': 'not started' } as const;

export default defineOperation({
  name: 'lab up',
  summary: 'Make and start the virtual machines of a lab, or apply what changed in its file',
  description:
    'Makes what is missing, starts it in order, and waits until each VM is ready. Run it again after a change: new VMs are made, sizes change by a restart, files and scripts that changed are applied; VMs that are no longer in the file are deleted once you agree. What only another VM can have (its image) is told, and done with --replace. After a failure or a kill the same command goes on where it was.',
  kind: 'job',
  input: z.object({
    file: labFilePosition,
    start: z.boolean().default(true).describe('Start them; else they are only made'),
    replace: z.boolean().default(false).describe('Make VMs anew whose image changed; their disks are lost'),
    force: z.boolean().default(false).describe('Start them although the budget or the memory is short'),
  }),
  output: z.object({
    name: z.string(),
    network: z.string(),
    members: z
      .array(
        z.object({
          member: z.string(),
          vm: z.string(),
          address: z.string(),
          result: z.enum(['ready', 'made', 'unchanged', 'failed', 'not-started']),
          renew: z.array(z.string()).readonly().describe('Why it needs another VM, which --replace makes'),
        }),
      )
      .readonly(),
    deleted: z.array(z.string()).readonly().describe('VMs that the file does not have any more'),
  }),
  examples: [
    { command: 'ingot lab up', does: 'brings up the lab of lab.yaml in this folder' },
    { command: 'ingot lab up shop.yaml --no-start', does: 'only makes its VMs' },
    { command: 'ingot lab up shop --replace --yes', does: 'applies the file of the lab shop, and makes VMs anew where it has to' },
  ],
  async run(input, context) {
    const lab = await readLab(context, await labFile(context, input.file));
    if (lab.platform !== 'local') return await (await import('./lab-on.ts')).labOnTarget(context, lab, input);
    return await labUp(context, lab, { ...input, imageOf: (member) => imageOfMember(context, member) });
  },
  render({ name, network, members, deleted }, options) {
    const table = renderTable(
      [{ title: 'MEMBER' }, { title: 'ADDRESS' }, { title: 'VM' }, { title: 'RESULT', shrink: 'wrap' }],
      members.map(({ member, address, vm, result, renew }) => [
        member,
        address,
        vm,
        renew.length === 0 ? WORDS[result] : `${WORDS[result]}; needs --replace: ${renew.join('; ')}`,
      ]),
      options,
    );
    const gone = deleted.length === 0 ? '' : `Deleted: ${deleted.join(', ')}.\n`;
    return members.length === 0
      ? `${gone}The lab ${name} has no VMs.`
      : `${gone}${table}\nThe lab ${name} is on ${network}. \`ingot lab ssh ${name} ${members[0]?.member ?? ''}\` logs in.`;
  },
});

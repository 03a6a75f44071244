import * as z from 'zod';
import { execInLab } from '../lab/exec.ts';
import { labName } from '../lab/find.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { defineOperation } from './operation.ts';
import { waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'lab exec',
  summary: 'Run a command in the virtual machines of a lab, in all at the same time',
  description:
    "Each line that it writes follows the member's name. Without --on it runs in all that run. Ends with the worst exit code; 255 also stands for a VM that could not be reached. The words reach the command as they are; it has no standard input.",
  kind: 'stream',
  input: z.object({
    lab: labPosition,
    command: z.array(z.string()).min(1).describe('The command and its words, after --').meta({ positional: true }),
    on: z
      .array(z.string())
      .default([])
      .describe('Only in this member, or in all of a count (web for web-1, web-2); can be given again')
      .meta({ placeholder: 'MEMBER' }),
    timeout: waitSecondsInput,
  }),
  output: z.object({ members: z.array(z.object({ member: z.string(), exitCode: z.int() })) }),
  examples: [
    { command: 'ingot lab exec shop -- uptime', does: 'runs a command in every VM of the lab shop' },
    { command: 'ingot lab exec shop --on web --on db -- systemctl is-system-running', does: 'only in db, and in web or web-1, web-2 …' },
  ],
  async run(input, context) {
    const lab = await labName(context, input.lab);
    const onLine = (member: string, line: string): void => context.write(`${member} | ${line}\n`);
    const request = { lab, on: input.on, command: input.command, timeout: input.timeout, onLine };
    const members = await whereLab(
      context,
      lab,
      () => execInLab(context, request),
      ({ use, state, vms }) => use.execInRemoteLab(context, state, vms, request),
    );
    return { members };
  },
  render: () => '',
  exitCode: ({ members }) => Math.max(0, ...members.map(({ exitCode }) => exitCode)),
});

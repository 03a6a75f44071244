import * as z from 'zod';
import { chosenMembers, oneMember } from '../lab/exec.ts';
import { labName } from '../lab/find.ts';
import { readyForSsh } from '../platforms/local/ready.ts';
import { sshArguments } from '../platforms/local/ssh.ts';
import type { ReachedVm } from '../platforms/remote-login.ts';
import { whereLab } from './lab-where.ts';
import { labPosition } from './lab-input.ts';
import { defineOperation } from './operation.ts';
import { waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'lab ssh',
  summary: 'Open a shell in a virtual machine of a lab',
  description: 'Waits until one can log in. What follows -- goes to ssh: options, or a command. Ends with the exit code of ssh.',
  kind: 'terminal',
  input: z.object({
    lab: labPosition,
    member: z.string().min(1).describe("The VM's name in the lab").meta({ positional: true }),
    arguments: z.array(z.string()).default([]).describe('More words for ssh, after --').meta({ positional: true }),
    timeout: waitSecondsInput,
  }),
  output: z.object({ exitCode: z.int() }),
  examples: [{ command: 'ingot lab ssh shop web-1', does: 'opens a shell in the VM web-1 of the lab shop' }],
  async run(input, context) {
    const lab = await labName(context, input.lab);
    const { spec } = await whereLab<ReachedVm>(
      context,
      lab,
      async () => readyForSsh(context, oneMember(lab, await chosenMembers(context, lab, []), input.member).vm, input.timeout),
      ({ use, state, vms }) => use.reachMember(context, state, vms, input.member, input.timeout),
    );
    return { exitCode: await context.attach([...sshArguments(spec.name, spec.ssh), ...input.arguments]) };
  },
  render: () => '',
  exitCode: ({ exitCode }) => exitCode,
});

import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { readyForSsh } from '../platforms/local/ready.ts';
import { sshArguments } from '../platforms/local/ssh.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput, waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm ssh',
  summary: 'Open a shell in a virtual machine',
  description:
    'Waits until one can log in. Key, user, port and host key are taken care of. What follows -- goes to ssh: options, or a command. Ends with the exit code of ssh.',
  kind: 'terminal',
  input: z.object({
    name: vmNameInput,
    on: onInput,
    arguments: z.array(z.string()).default([]).describe('More words for ssh, after --').meta({ positional: true }),
    timeout: waitSecondsInput,
  }),
  output: z.object({ exitCode: z.int() }),
  examples: [
    { command: 'ingot vm ssh web', does: 'opens a shell in the VM web' },
    { command: 'ingot vm ssh web -- -L 8080:localhost:80', does: "and makes the guest's port 80 the host's port 8080" },
  ],
  async run(input, context) {
    const name = input.name;
    const guest = isRemote(input.on)
      ? await (await import('./vm-on.ts')).reach(context, input.on, name, input.timeout)
      : await readyForSsh(context, parseName(name, 'a VM'), input.timeout);
    return { exitCode: await context.attach([...sshArguments(name, guest.spec.ssh), ...input.arguments]) };
  },
  render: () => '',
  exitCode: ({ exitCode }) => exitCode,
});

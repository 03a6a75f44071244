import * as z from 'zod';
import { sshArguments } from '../platforms/local/ssh.ts';
import { containerInput, onInput, reachContainer } from './ct-on.ts';
import { defineOperation } from './operation.ts';
import { waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'ct ssh',
  summary: 'Open a shell in a container',
  description: 'Waits until one can log in as root. What follows -- goes to ssh: options, or a command. Ends with the exit code of ssh.',
  kind: 'terminal',
  input: z.object({
    name: containerInput,
    on: onInput,
    arguments: z.array(z.string()).default([]).describe('More words for ssh, after --').meta({ positional: true }),
    timeout: waitSecondsInput,
  }),
  output: z.object({ exitCode: z.int() }),
  examples: [{ command: 'ingot ct ssh web --on proxmox:home', does: 'opens a shell in the container web' }],
  async run(input, context) {
    const { spec } = await reachContainer(context, input.on, input.name, input.timeout);
    return { exitCode: await context.attach([...sshArguments(spec.name, spec.ssh), ...input.arguments]) };
  },
  render: () => '',
  exitCode: ({ exitCode }) => exitCode,
});

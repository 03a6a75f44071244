import * as z from 'zod';
import { sshCommand } from '../platforms/local/ssh.ts';
import { containerInput, onInput, reachContainer } from './ct-on.ts';
import { defineOperation } from './operation.ts';
import { waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'ct exec',
  summary: 'Run a command in a container',
  description: 'Waits until one can log in as root by SSH. The words reach the command as they are; its exit code is that of this one.',
  kind: 'terminal',
  input: z.object({
    name: containerInput,
    on: onInput,
    command: z.array(z.string()).min(1).describe('The command and its words, after --').meta({ positional: true }),
    timeout: waitSecondsInput,
  }),
  output: z.object({ exitCode: z.int() }),
  examples: [{ command: 'ingot ct exec web --on proxmox:home -- uptime', does: 'runs a command in the container web' }],
  async run(input, context) {
    const { spec } = await reachContainer(context, input.on, input.name, input.timeout);
    return { exitCode: await context.attach(sshCommand(spec.name, spec.ssh, input.command)) };
  },
  render: () => '',
  exitCode: ({ exitCode }) => exitCode,
});

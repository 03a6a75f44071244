import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { readyForSsh } from '../platforms/local/ready.ts';
import { sshCommand } from '../platforms/local/ssh.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput, waitSecondsInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm exec',
  summary: 'Run a command in a virtual machine',
  description:
    "Waits until one can log in. The words reach the command as they are; no shell of the guest reads them. Standard input and output are the command's, and so is the exit code (255 is also ssh's own, where the connection breaks).",
  kind: 'terminal',
  input: z.object({
    name: vmNameInput,
    on: onInput,
    command: z.array(z.string()).min(1).describe('The command and its words, after --').meta({ positional: true }),
    timeout: waitSecondsInput,
  }),
  output: z.object({ exitCode: z.int() }),
  examples: [
    { command: 'ingot vm exec web -- systemctl is-system-running', does: 'runs a command in the VM web, and ends with its exit code' },
    { command: "ingot vm exec web -- sh -c 'cat > notes' < notes", does: 'sends a file' },
  ],
  async run(input, context) {
    const name = input.name;
    const guest = isRemote(input.on)
      ? await (await import('./vm-on.ts')).reach(context, input.on, name, input.timeout)
      : await readyForSsh(context, parseName(name, 'a VM'), input.timeout);
    return { exitCode: await context.attach(sshCommand(name, guest.spec.ssh, input.command)) };
  },
  render: () => '',
  exitCode: ({ exitCode }) => exitCode,
});

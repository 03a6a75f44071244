import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import { parseName } from '../base/types.ts';
import { bridgeConsole } from '../platforms/local/console.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { requireRunning } from '../platforms/local/power.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm console',
  summary: 'Attach to the serial console of a virtual machine',
  description: 'Ctrl-] detaches; the machine runs on. Only one can be attached at a time.',
  kind: 'terminal',
  input: z.object({ name: vmNameInput }),
  output: z.object({ result: z.enum(['detached', 'ended']) }),
  examples: [{ command: 'ingot vm console web', does: 'attaches to the console of the VM web; Ctrl-] detaches' }],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    await requireRunning(context, name);
    if (!process.stdin.isTTY)
      throw new IngotError('usage', 'terminal-needed', 'The console needs a terminal', { hint: `\`ingot vm logs ${name} --follow\` shows it without one.` });
    await using _lock = await takeLock(context.host, context.home, `console-${name}`, { what: `vm console ${name}`, whenTaken: 'fail' });
    context.events.message('info', `Attached to ${name}. Ctrl-] detaches; press Enter for a prompt.`);
    const result = await bridgeConsole(guestFiles(context.home.vm(name)).serial, process.stdin, (text) => context.write(text), context.signal);
    context.write('\r\n');
    context.events.message('info', result === 'detached' ? `Detached; ${name} runs on.` : `${name} has ended.`);
    return { result };
  },
  render: () => '',
});

import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { takeLock } from '../base/lock.ts';
import { parseName } from '../base/types.ts';
import { bridgeConsole } from '../platforms/local/console.ts';
import { followLog } from '../platforms/local/follow.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { requireRunning } from '../platforms/local/power.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';

/** Of a terminal that does not tell. */
const ROWS = 24;

export default defineOperation({
  name: 'vm console',
  summary: 'Attach to the serial console of a virtual machine',
  description: 'Begins with the last lines that were written to it. Ctrl-] detaches; the machine runs on. Only one can be attached at a time.',
  kind: 'terminal',
  input: z.object({
    name: vmNameInput,
    on: onInput.describe('The target that it is on; then the address is printed at which a browser shows its console'),
    lines: z.int().min(0).optional().describe('How many of the last lines to begin with; default: a screen of them').meta({ short: 'n', placeholder: 'COUNT' }),
  }),
  output: z.union([z.object({ result: z.enum(['detached', 'ended']) }), z.object({ url: z.string().describe('With --on') })]),
  examples: [
    { command: 'ingot vm console web', does: 'attaches to the console of the VM web; Ctrl-] detaches' },
    { command: 'ingot vm console web --lines 500', does: 'the same, with more of what was written before' },
  ],
  async run(input, context) {
    const { on } = input;
    if (isRemote(on)) {
      const { onVm } = await import('./vm-on.ts');
      return { url: await onVm(context, { on, name: input.name }, 'Looking at', (vms, vm) => vms.console(vm)) };
    }
    const name = parseName(input.name, 'a VM');
    await requireRunning(context, name);
    if (!process.stdin.isTTY)
      throw new IngotError('usage', 'terminal-needed', 'The console needs a terminal', { hint: `\`ingot vm logs ${name} --follow\` shows it without one.` });
    await using _lock = await takeLock(context.host, context.home, `console-${name}`, { what: `vm console ${name}`, whenTaken: 'fail' });
    const files = guestFiles(context.home.vm(name));
    const lines = input.lines ?? Math.max(1, (process.stdout.rows ?? ROWS) - 2);
    let last = '\n';
    await followLog(context.host, files.console, { lines, signal: context.signal }, (text) => {
      last = text.at(-1) ?? last;
      context.write(text);
    });
    if (last !== '\n') context.write('\n');
    context.events.message('info', `Attached to ${name}. Ctrl-] detaches; press Enter for a prompt.`);
    const result = await bridgeConsole(files.serial, process.stdin, (text) => context.write(text), context.signal);
    context.write('\r\n');
    context.events.message('info', result === 'detached' ? `Detached; ${name} runs on.` : `${name} has ended.`);
    return { result };
  },
  render: (output) => ('url' in output ? output.url : ''),
});

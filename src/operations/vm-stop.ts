import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { stopFlagged } from '../platforms/local/autostart.ts';
import { holdVm, stopLocked, type StopResult } from '../platforms/local/power.ts';
import { discardSuspended } from '../platforms/local/suspend.ts';
import { defineOperation } from './operation.ts';
import { eachOutput, eachText, isRemote, oneName, onInput, vmNameInput } from './vm-input.ts';

const SENTENCES = {
  'shut-down': 'has shut down',
  forced: 'was ended by force',
  'not-running': 'was not running',
  discarded: 'is stopped: its saved memory is dropped',
} as const;

export default defineOperation({
  name: 'vm stop',
  summary: 'Shut a virtual machine down',
  description:
    'The guest is asked to shut down (power button and guest agent). Where it has not after the timeout, it is ended by force, as by pulling the plug.',
  kind: 'job',
  input: z.object({
    name: vmNameInput.optional(),
    on: onInput,
    autostart: z.boolean().default(false).describe('All VMs that start with the host (vm autostart), instead of one'),
    timeout: z.number().positive().max(86_400).default(90).describe('Seconds until it is ended by force').meta({ placeholder: 'SECONDS' }),
    force: z.boolean().default(false).describe('End it by force at once'),
    discard: z.boolean().default(false).describe('Drop the saved memory of a suspended VM'),
  }),
  output: z.union([z.object({ name: z.string(), result: z.enum(['shut-down', 'forced', 'not-running', 'discarded']), seconds: z.number() }), eachOutput]),
  examples: [
    { command: 'ingot vm stop web', does: 'shuts the VM web down' },
    { command: 'ingot vm stop web --timeout 300', does: 'gives it five minutes for that' },
    { command: 'ingot vm stop web --force', does: 'pulls the plug' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm, refuseLocalFlags } = await import('./vm-on.ts');
      refuseLocalFlags(input.on, { autostart: input.autostart, discard: input.discard });
      const { monotonic } = context.host.clock;
      const begin = monotonic();
      const request = { on: input.on, name: oneName(input.name) };
      const result = await onVm(context, request, 'Stopping', (vms, vm, span) => vms.stop(vm, input, span));
      return { name: request.name, result, seconds: (monotonic() - begin) / 1000 };
    }
    if (input.autostart) return { vms: await stopFlagged(context, input) };
    const name = parseName(oneName(input.name), 'a VM');
    const { clock } = context.host;
    await using held = await holdVm(context, name, `vm stop ${name}`);
    const start = clock.monotonic();
    const suspended = held.vm.suspended !== undefined;
    if (suspended && input.discard) await discardSuspended(context, held.vm);
    else if (suspended) context.events.message('info', `${name} is suspended; --discard drops its saved memory`);
    const result: StopResult | 'discarded' = suspended && input.discard ? 'discarded' : await stopLocked(context, held.vm, input);
    return { name, result, seconds: (clock.monotonic() - start) / 1000 };
  },
  render: (output) => ('vms' in output ? eachText(output.vms, 'is stopped') : `${output.name} ${SENTENCES[output.result]}.`),
  exitCode: (output) => ('vms' in output && output.vms.some(({ error }) => error !== undefined) ? 1 : 0),
});

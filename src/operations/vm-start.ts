import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { startFlagged } from '../platforms/local/autostart.ts';
import { holdVm, startLocked } from '../platforms/local/power.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { eachOutput, eachText, isRemote, oneName, onInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm start',
  summary: 'Start a virtual machine',
  description: 'It goes on running when ingot has ended. A suspended one goes on where it was. Nothing happens where it runs already.',
  kind: 'job',
  input: z.object({
    name: vmNameInput.optional(),
    on: onInput,
    autostart: z.boolean().default(false).describe('All VMs that start with the host (vm autostart), instead of one'),
    discard: z.boolean().default(false).describe('Drop the saved memory of a suspended VM: it boots anew'),
    force: z.boolean().default(false).describe('Start it although the budget or the memory is short'),
  }),
  output: z.union([vmViewSchema, remoteVmSchema, eachOutput]),
  examples: [
    { command: 'ingot vm start web', does: 'starts the VM web' },
    { command: 'ingot vm start web --discard', does: 'boots it anew where it is suspended' },
    { command: 'ingot vm start --autostart', does: 'starts every VM that starts with the host' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm, refuseLocalFlags } = await import('./vm-on.ts');
      refuseLocalFlags(input.on, { autostart: input.autostart, discard: input.discard, force: input.force });
      return await onVm(context, { on: input.on, name: oneName(input.name) }, 'Starting', async (vms, vm, span) => {
        await vms.start(vm, span);
        return await vms.find(vm.id);
      });
    }
    if (input.autostart) return { vms: await startFlagged(context, input.force) };
    const name = parseName(oneName(input.name), 'a VM');
    await using held = await holdVm(context, name, `vm start ${name}`);
    await startLocked(context, held.vm, { force: input.force, discard: input.discard });
    return viewVm(context, await loadVm(context.host, context.home, name));
  },
  render: (result) =>
    'vms' in result
      ? eachText(result.vms, 'is running')
      : `${result.name} is running. \`ingot vm ssh ${result.name}${'on' in result ? ` --on ${result.on}` : ''}\` logs in as soon as it can.`,
  exitCode: (result) => ('vms' in result && result.vms.some(({ error }) => error !== undefined) ? 1 : 0),
});

import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { restartLocked, holdVm } from '../platforms/local/power.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { loadVm } from '../platforms/local/vms.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm restart',
  summary: 'Shut a virtual machine down and start it again',
  description: 'The machine itself is a new one, so that what was changed about it (vm resize) is there. One that does not run is started.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    on: onInput,
    timeout: z.number().positive().max(86_400).default(90).describe('Seconds until it is ended by force').meta({ placeholder: 'SECONDS' }),
    force: z.boolean().default(false).describe('End it by force at once'),
  }),
  output: z.union([vmViewSchema, remoteVmSchema]),
  examples: [
    { command: 'ingot vm restart web', does: 'shuts the VM web down and starts it' },
    { command: 'ingot vm restart web --force', does: 'pulls the plug and starts it' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      return await onVm(context, { on: input.on, name: input.name }, 'Restarting', async (vms, vm, span) => {
        await vms.stop(vm, input, span);
        await vms.start(vm, span);
        return await vms.find(vm.id);
      });
    }
    const name = parseName(input.name, 'a VM');
    await using held = await holdVm(context, name, `vm restart ${name}`);
    await restartLocked(context, held.vm, input);
    return viewVm(context, await loadVm(context.host, context.home, name));
  },
  render: (vm) => `${vm.name} is running again. \`ingot vm ssh ${vm.name}\` logs in as soon as it can.`,
});

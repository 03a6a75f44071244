import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { deleteVm } from '../platforms/local/remove.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm delete',
  summary: 'Delete a virtual machine with its disk',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    on: onInput,
    force: z.boolean().default(false).describe('Also where it is running: it is ended first'),
  }),
  output: z.object({ name: z.string() }),
  examples: [
    { command: 'ingot vm delete web', does: 'deletes the VM web, which must not be running' },
    { command: 'ingot vm delete web --force', does: 'deletes it in any case' },
  ],
  async run(input, context) {
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      await onVm(context, { on: input.on, name: input.name }, 'Deleting', async (vms, vm, span) => {
        if (input.force) await vms.stop(vm, { timeout: 0, force: true }, span);
        await vms.delete(vm, span);
      });
      return { name: input.name };
    }
    const name = parseName(input.name, 'a VM');
    await deleteVm(context, name, { force: input.force });
    return { name };
  },
  render: ({ name }) => `${name} is deleted.`,
});

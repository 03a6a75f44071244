import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatSize, parseName } from '../base/types.ts';
import { LEAST_MEMORY } from '../lab-images/profile.ts';
import { holdVm } from '../platforms/local/power.ts';
import { resizeLocked } from '../platforms/local/resize.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { countOf } from './image-text.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, sizeInput, vmNameInput } from './vm-input.ts';

const GROWTH = {
  none: '',
  'at-boot': ' Its root filesystem grows at its next start.',
  'at-once': ' Its root filesystem has grown.',
} as const;

export default defineOperation({
  name: 'vm resize',
  summary: 'Change processors, memory and disk of a virtual machine',
  description:
    'Processors and memory change while it is off. The disk can only grow, while it runs too: the guest then grows its root filesystem at once where its agent answers, else at its next start.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    on: onInput,
    cpus: z.int().min(1).max(255).optional().describe('Processors'),
    memory: sizeInput('Memory', LEAST_MEMORY).optional(),
    disk: sizeInput('Size of the disk that it boots from').optional(),
  }),
  output: z.union([vmViewSchema.extend({ growth: z.enum(['none', 'at-boot', 'at-once']) }), remoteVmSchema]),
  examples: [
    { command: 'ingot vm resize web --cpus 4 --memory 4GiB', does: 'gives the VM web more, while it is off' },
    { command: 'ingot vm resize web --disk 40GiB', does: 'lets its disk grow' },
  ],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    if (input.cpus === undefined && input.memory === undefined && input.disk === undefined) {
      throw new IngotError('usage', 'nothing-to-do', 'Nothing is to be changed', { hint: 'Use --cpus, --memory or --disk.' });
    }
    if (isRemote(input.on)) {
      const { onVm } = await import('./vm-on.ts');
      return await onVm(context, { on: input.on, name: input.name }, 'Changing', async (vms, vm, span) => {
        await vms.resize(vm, { cpus: input.cpus, memory: input.memory, disk: input.disk }, span);
        return await vms.find(vm.id);
      });
    }
    await using held = await holdVm(context, name, `vm resize ${name}`);
    const { vm, growth } = await resizeLocked(context, held.vm, { cpus: input.cpus, memory: input.memory, disk: input.disk });
    return { ...(await viewVm(context, vm)), growth };
  },
  render(vm) {
    const size = (bytes: number | undefined): string => (bytes === undefined ? 'an unknown size' : formatSize(bytes));
    const growth = 'growth' in vm ? GROWTH[vm.growth] : '';
    return `${vm.name} has ${countOf(vm.cpus ?? 0, 'processor')}, ${size(vm.memory)} of memory and a disk of ${size(vm.disk)}.${growth}`;
  },
});

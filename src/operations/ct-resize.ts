import * as z from 'zod';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';
import { sizeInput } from './vm-input.ts';

export default defineOperation({
  name: 'ct resize',
  summary: 'Change processors, memory and disk of a container',
  description: 'Processors and memory change while it is off; the disk can only grow.',
  kind: 'job',
  input: z.object({
    name: containerInput,
    on: onInput,
    cpus: z.int().min(1).max(512).optional().describe('Processors'),
    memory: sizeInput('Memory', 16 * 2 ** 20).optional(),
    disk: sizeInput('Size of its root file system, which can only grow').optional(),
  }),
  output: remoteVmSchema,
  examples: [{ command: 'ingot ct resize web --memory 2GiB --on proxmox:home', does: 'gives the container web more' }],
  async run(input, context) {
    return await onContainer(context, input, 'Changing', async (containers, container, span) => {
      await containers.resize(container, { cpus: input.cpus, memory: input.memory, disk: input.disk }, span);
      return await containers.find(container.id);
    });
  },
  render: ({ name }) => `${name} is changed.`,
});

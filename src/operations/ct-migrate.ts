import * as z from 'zod';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct migrate',
  summary: 'Move a container to another node of its target',
  description: 'One that runs is stopped for it, and started there.',
  kind: 'job',
  input: z.object({ name: containerInput, place: z.string().min(1).describe('The node that it goes to').meta({ positional: true }), on: onInput }),
  output: remoteVmSchema,
  examples: [{ command: 'ingot ct migrate web pve2 --on proxmox:home', does: 'moves the container web to the node pve2' }],
  async run(input, context) {
    return await onContainer(context, input, 'Moving', async (containers, container, span) => {
      await containers.migrate(container, input.place, span);
      return await containers.find(container.id);
    });
  },
  render: ({ name, place }) => `${name} is on ${place}.`,
});

import * as z from 'zod';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct start',
  summary: 'Start a container',
  kind: 'job',
  input: z.object({ name: containerInput, on: onInput }),
  output: remoteVmSchema,
  examples: [{ command: 'ingot ct start web --on proxmox:home', does: 'starts the container web' }],
  async run(input, context) {
    return await onContainer(context, input, 'Starting', async (containers, container, span) => {
      await containers.start(container, span);
      return await containers.find(container.id);
    });
  },
  render: ({ name, on }) => `${name} is running. \`ingot ct ssh ${name} --on ${on}\` logs in as soon as it can.`,
});

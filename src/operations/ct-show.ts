import * as z from 'zod';
import { remoteVmDetailsSchema } from '../platforms/remote-vms.ts';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';
import { remoteVmText } from './vm-on-text.ts';

export default defineOperation({
  name: 'ct show',
  summary: 'Show everything about a container',
  kind: 'query',
  input: z.object({ name: containerInput, on: onInput }),
  output: remoteVmDetailsSchema,
  examples: [{ command: 'ingot ct show web --on proxmox:home', does: 'shows the container web' }],
  async run(input, context) {
    return await onContainer(context, input, 'Looking at', (containers, container) => containers.details(container));
  },
  render: remoteVmText,
});

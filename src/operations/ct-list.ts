import * as z from 'zod';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { onContainers, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';
import { remoteVmsTable } from './vm-on-text.ts';

export default defineOperation({
  name: 'ct list',
  summary: 'List the containers of a target',
  kind: 'query',
  input: z.object({ on: onInput, all: z.boolean().default(false).describe('Those too that ingot did not make') }),
  output: z.array(remoteVmSchema),
  examples: [{ command: 'ingot ct list --on proxmox:home', does: 'shows the containers that ingot made there' }],
  run: async ({ on, all }, context) => await onContainers(context, on, `Looking at ${on}`, (containers) => containers.list({ all })),
  render: (containers) => (containers.length === 0 ? 'There is no container yet. `ingot ct create NAME --on TARGET` makes one.' : remoteVmsTable(containers)),
});

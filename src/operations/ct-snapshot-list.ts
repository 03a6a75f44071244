import * as z from 'zod';
import { alignColumns } from '../base/columns.ts';
import { remoteSnapshotSchema } from '../platforms/remote-vms.ts';
import { containerInput, onContainer, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'ct snapshot list',
  summary: 'List the snapshots of a container',
  kind: 'query',
  input: z.object({ name: containerInput, on: onInput }),
  output: z.array(remoteSnapshotSchema),
  examples: [{ command: 'ingot ct snapshot list web --on proxmox:home', does: 'shows the snapshots of the container web' }],
  async run(input, context) {
    return await onContainer(context, input, 'Looking at', (containers, container) => containers.snapshots(container));
  },
  render: (snapshots) =>
    snapshots.length === 0
      ? 'There is no snapshot yet.'
      : alignColumns([['NAME', 'CREATED', 'DESCRIPTION'], ...snapshots.map((one) => [one.name, one.created ?? '-', one.description ?? ''])]),
});

import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { formatSize, parseName } from '../base/types.ts';
import { guestFiles } from '../platforms/local/guest-spec.ts';
import { QmpClient } from '../platforms/local/qmp.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { diskUsed, loadVm } from '../platforms/local/vms.ts';
import { defineOperation } from './operation.ts';
import { vmNameInput } from './vm-input.ts';

const statusSchema = z.object({ status: z.string() });

export default defineOperation({
  name: 'vm show',
  summary: 'Show everything about a virtual machine',
  kind: 'query',
  input: z.object({ name: vmNameInput }),
  output: vmViewSchema.extend({
    /** QEMU's own word: `running`, `paused`, `io-error` where the host's disk is full. */
    guest: z.string().optional(),
    diskUsed: z.number().describe('Bytes that its own disks take on the host, without its image and what it shares with others'),
    folder: z.string(),
    consoleLog: z.string(),
  }),
  examples: [{ command: 'ingot vm show web', does: 'shows the VM web: state, image, size, how to reach it' }],
  async run(input, context) {
    const name = parseName(input.name, 'a VM');
    const { host, home } = context;
    const vm = await loadVm(host, home, name);
    const view = await viewVm(context, vm);
    const folder = home.vm(name);
    const guest = view.state === 'running' ? await guestStatus(guestFiles(folder).qmp) : undefined;
    return { ...view, ...(guest === undefined ? {} : { guest }), diskUsed: await diskUsed(host, home, vm), folder, consoleLog: guestFiles(folder).console };
  },
  render(vm) {
    const state = vm.pid === undefined ? vm.state : `${vm.guest ?? vm.state} (process ${vm.pid})`;
    const lines: readonly (readonly [string, string])[] = [
      ['Name', vm.name],
      ['State', state],
      ['Image', `${vm.image.reference} (${vm.image.digest})`],
      ['Machine', `${vm.arch}, ${vm.firmware}, ${vm.cpus} processors, ${formatSize(vm.memory)} of memory`],
      ['Disk', `${formatSize(vm.disk)}, of which ${formatSize(vm.diskUsed)} are used on the host`],
      ['SSH', `${vm.ssh.user}@127.0.0.1, port ${vm.ssh.port}`],
      ['Created', vm.created],
      ['Console', vm.consoleLog],
    ];
    return lines.map(([label, text]) => `${label.padEnd(8)} ${text}`).join('\n');
  },
});

async function guestStatus(socket: string): Promise<string | undefined> {
  try {
    using qmp = await QmpClient.connect(socket, 2);
    return statusSchema.parse(await qmp.execute('query-status')).status;
  } catch (error) {
    // It ended just now, or another command talks to it.
    if (error instanceof IngotError && (error.code === 'qemu-gone' || error.code === 'qemu-silent')) return undefined;
    throw error;
  }
}

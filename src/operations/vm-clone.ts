import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { cloneVm } from '../platforms/local/clone.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { IngotError } from '../base/errors.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm clone',
  summary: 'Make a virtual machine that begins as a copy of another',
  description:
    'A linked clone (the default) stands on what the source has on its disks, which nobody writes to any more: it is there at once and takes no space. A full one copies that, and stands on the image alone. Either gets its own hostname, machine-id, host keys, address and port when it boots. The source may run: its filesystems are frozen for a moment through the guest agent.',
  kind: 'job',
  input: z.object({
    source: z.string().min(1).describe('The VM to begin with').meta({ positional: true, complete: 'vm' }),
    target: z.string().min(1).describe("The new VM's name, which is its hostname too").meta({ positional: true }),
    on: onInput,
    place: z.string().min(1).optional().describe('With --on, the node that it goes to; default: that of the source').meta({ placeholder: 'NODE' }),
    linked: z.boolean().default(false).describe("Stand on the source's disks; this is the default"),
    full: z.boolean().default(false).describe('Copy what the source has written'),
    start: z.boolean().default(true).describe('Start it at once'),
    force: z.boolean().default(false).describe('Make and start it although the budget or the memory is short'),
  }),
  output: z.union([vmViewSchema, remoteVmSchema]),
  examples: [
    { command: 'ingot vm clone web web-2', does: 'makes and starts web-2, which stands on what web has' },
    { command: 'ingot vm clone web copy --full --no-start', does: 'copies the disks of web, and leaves the copy off' },
  ],
  async run(input, context) {
    if (input.linked && input.full) throw new IngotError('usage', 'clone-kind', 'A clone is linked or full, not both', { hint: 'Leave one of them away.' });
    const { on, place } = input;
    if (isRemote(on)) {
      const { onVm, refuseLocalFlags } = await import('./vm-on.ts');
      refuseLocalFlags(on, { linked: input.linked, force: input.force });
      const name = parseName(input.target, 'a VM');
      return await onVm(context, { on, name: input.source }, 'Cloning', (vms, vm, span) => vms.clone(vm, { name, place, start: input.start }, span));
    }
    const vm = await cloneVm(context, {
      source: parseName(input.source, 'a VM'),
      target: parseName(input.target, 'a VM'),
      full: input.full,
      start: input.start,
      force: input.force,
    });
    return viewVm(context, vm);
  },
  render(vm) {
    const where = 'on' in vm ? ` --on ${vm.on}` : '';
    return vm.state === 'running'
      ? `${vm.name} is starting. \`ingot vm ssh ${vm.name}${where}\` logs in as soon as it can.`
      : `${vm.name} is made. \`ingot vm start ${vm.name}${where}\` starts it.`;
  },
});

import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { defineOperation } from './operation.ts';
import { isRemote, onInput, vmNameInput } from './vm-input.ts';

export default defineOperation({
  name: 'vm template',
  summary: 'Make a template of a virtual machine on a target, or of one of its snapshots',
  description:
    'The machine has to be off, unless a snapshot is named, and stays as it is. The template is a copy of its first disk, with all that makes it this machine: keys, identity, logs. It is yours: nothing has proven it, and ingot does not change or remove it afterwards. `image import --from` takes it into the store, where an image can be built on it. What was cut is gone on with by the same command. Of a machine on this host, `vm export` makes an image.',
  kind: 'job',
  input: z.object({
    name: vmNameInput,
    on: onInput.describe('The target that it is on, PLATFORM:NAME'),
    as: z.string().min(1).max(255).describe('What the template is called').meta({ placeholder: 'TEMPLATE' }),
    snapshot: z.string().min(1).optional().describe('Take the disk as it was in this snapshot; the machine may be running then'),
    osType: z.string().optional().describe("What CloudStack calls the operating system; default: the machine's own").meta({ placeholder: 'NAME' }),
  }),
  output: z.strictObject({ name: z.string(), on: z.string(), id: z.string(), place: z.string() }),
  examples: [
    { command: 'ingot vm template web --on cloudstack:prod --as web-golden', does: 'of the instance web, which is off' },
    { command: 'ingot vm template web --on cloudstack:prod --as web-before --snapshot before-update', does: 'as it was in a snapshot' },
  ],
  async run({ name, on, as, snapshot, osType }, context) {
    if (!isRemote(on)) {
      throw new IngotError('usage', 'on-missing', 'Templates are made on a target, and none is named', {
        hint: `Name it with --on; of a VM of this host, \`ingot vm export ${name} --as IMAGE\` makes an image.`,
      });
    }
    const { onVm } = await import('./vm-on.ts');
    return await onVm(context, { on, name }, 'Making a template of', async (vms, vm, span) => {
      if (vms.makeTemplate === undefined) {
        throw new IngotError('usage', 'vm-template-unsupported', `${on} makes no templates of VMs that stay`, {
          hint: 'CloudStack does. On Proxmox VE, clone it in the web interface, and convert the clone.',
        });
      }
      return { ...(await vms.makeTemplate(vm, { name: as, snapshot, osType }, span)), on: vm.on };
    });
  },
  render: ({ name, on, id, place }) =>
    `${name} is a template in ${place} (${id}). \`ingot image import --from ${on} --template ${name}\` takes it into the store.`,
});

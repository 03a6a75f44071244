import * as z from 'zod';
import { readTextIfThere } from '../base/files.ts';
import { IngotError } from '../base/errors.ts';
import { parseName } from '../base/types.ts';
import { createVm } from '../platforms/local/create.ts';
import { firmwareSchema } from '../platforms/local/guest-spec.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { clientFile } from './client-file.ts';
import { defineOperation } from './operation.ts';
import { sizeInput } from './vm-input.ts';

const MIB = 2 ** 20;
/** Below that no Linux of the catalog starts. */
const LEAST_MEMORY = 64 * MIB;

export default defineOperation({
  name: 'vm create',
  summary: 'Make a virtual machine from an image, and start it',
  description:
    "The machine's disk is an overlay on the image, so nothing is copied. Its hostname is its name, its root filesystem grows to the size of the disk, and it lets ingot in by SSH. It goes on running when ingot has ended.",
  kind: 'job',
  input: z.object({
    name: z.string().min(1).describe("The VM's name, which is its hostname too").meta({ positional: true }),
    image: z.string().min(1).describe('Image to make it from: name, name:tag or name@sha256:…').meta({ complete: 'image' }),
    cpus: z.int().min(1).max(255).default(2).describe('Processors'),
    memory: sizeInput('Memory', LEAST_MEMORY).prefault('1GiB'),
    disk: sizeInput("Size of the disk; default 10GiB, or the image's where that is more").optional(),
    firmware: firmwareSchema.optional().describe('What starts the boot loader; default bios on amd64, uefi on arm64'),
    sshPort: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('Port of 127.0.0.1 that leads to its SSH server; default: one that is free')
      .meta({ placeholder: 'PORT' }),
    userData: clientFile.optional().describe('cloud-init user-data of your own'),
    start: z.boolean().default(true).describe('Start it at once'),
    force: z.boolean().default(false).describe('Start it although memory is short'),
  }),
  output: vmViewSchema,
  examples: [
    { command: 'ingot vm create web --image debian-12', does: 'makes and starts a VM with 2 processors, 1 GiB of memory and 10 GiB of disk' },
    {
      command: 'ingot vm create db --image debian-12:20260101-0123abcd --cpus 4 --memory 4GiB --disk 40GiB --no-start',
      does: 'makes a larger one from a certain build, and leaves it off',
    },
  ],
  async run(input, context) {
    const { userData: userDataFile, ...rest } = input;
    const vm = await createVm(context, {
      ...rest,
      name: parseName(input.name, 'a VM'),
      disk: input.disk,
      firmware: input.firmware,
      sshPort: input.sshPort,
      userData: userDataFile === undefined ? undefined : await readUserData(context.host, userDataFile),
    });
    return viewVm(context, vm);
  },
  render: (vm) =>
    vm.state === 'running'
      ? `${vm.name} is starting. \`ingot vm ssh ${vm.name}\` logs in as soon as it can.`
      : `${vm.name} is made. \`ingot vm start ${vm.name}\` starts it.`,
});

async function readUserData(host: Parameters<typeof viewVm>[0]['host'], path: string): Promise<string> {
  const text = await readTextIfThere(host.files, path);
  if (text === undefined) throw new IngotError('not-found', 'file-missing', `There is no file ${path}`);
  return text;
}

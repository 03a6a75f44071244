import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { parseName } from '../base/types.ts';
import { createVms, refuseTaken } from '../platforms/local/create-many.ts';
import { describeForward } from '../platforms/local/forwards.ts';
import { firmwareSchema } from '../platforms/local/guest-spec.ts';
import { viewVm, vmViewSchema } from '../platforms/local/view.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { defineOperation } from './operation.ts';
import { deviceInput, devicesOf } from './vm-create-devices.ts';
import { choiceSchema, explainImage, imageFor, renderChoice } from './vm-create-image.ts';
import { machineInput, machineOf } from './vm-create-input.ts';
import { placeInput } from './vm-create-place.ts';
import { isRemote } from './vm-input.ts';

export default defineOperation({
  name: 'vm create',
  summary: 'Make a virtual machine from an image, and start it',
  description:
    "Without --image, it gets an image that has the roles, on the release that is asked for or the default one; where there is none, that is built first. The machine's disk is an overlay on the image, so nothing is copied. Its hostname is its name, its root filesystem grows to the size of the disk, and it lets ingot in by SSH. It goes on running when ingot has ended.",
  kind: 'job',
  input: z.object({
    name: z.string().min(1).describe("The VM's name, which is its hostname too").meta({ positional: true }),
    ...machineInput,
    firmware: firmwareSchema.optional().describe('What starts the boot loader; default bios on amd64, uefi on arm64'),
    sshPort: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('Port of 127.0.0.1 that leads to its SSH server; default: one that is free')
      .meta({ placeholder: 'PORT' }),
    ...deviceInput,
    ...placeInput,
    start: z.boolean().default(true).describe('Start it at once'),
    warm: z
      .boolean()
      .default(false)
      .describe('Start it from the memory of a machine that has booted the image already: SSH answers in about a second; the first time, that machine is made'),
    force: z.boolean().default(false).describe('Start it although the budget or the memory is short'),
    unique: z.boolean().default(false).describe('Where the name is taken, use the next free one: web-2'),
    count: z.int().min(1).max(1000).optional().describe('Make so many, called NAME-1, NAME-2 and so on: all of them or none'),
    build: z.boolean().default(true).describe('Build the image where there is none that fits; --no-build says what would be built'),
    explain: z.boolean().default(false).describe('Say which image it would get, and why no other; nothing is made'),
  }),
  headings: {
    'Its image': ['image', 'role', 'release', 'profile', 'build', 'explain'],
    'Its machine': ['cpus', 'memory', 'disk', 'firmware', 'extraDisk', 'share', 'tpm'],
    'Reaching it': ['sshPort', 'sshKey', 'passwordLogin', 'passwordSecret', 'forward'],
    'Its first boot': ['userData', 'networkConfig', 'vendorData'],
    'On a target': ['on', 'place', 'full', 'bridge', 'vlan', 'ip', 'gateway', 'nameserver'],
  },
  output: z.union([
    vmViewSchema,
    remoteVmSchema,
    z.object({ vms: z.array(vmViewSchema.or(remoteVmSchema)).describe('With --count') }),
    z.object({ explained: choiceSchema.describe('With --explain') }),
  ]),
  examples: [
    { command: 'ingot vm create web --role docker', does: 'makes one from an image with docker, which is built where there is none yet' },
    { command: 'ingot vm create web --role docker --explain', does: 'says which image that is, and why' },
    { command: 'ingot vm create node --profile large --count 3', does: 'makes node-1, node-2 and node-3' },
    { command: 'ingot vm create web --image debian-12', does: 'makes and starts a VM with 2 processors, 1 GiB of memory and 10 GiB of disk' },
    { command: 'ingot vm create web --image debian-12 --warm', does: 'starts it from the memory of a booted machine, with an identity of its own' },
    {
      command: 'ingot vm create db --image debian-12:20260101-0123abcd --cpus 4 --memory 4GiB --disk 40GiB --no-start',
      does: 'makes a larger one from a certain build, and leaves it off',
    },
    {
      command: 'ingot vm create dev --image debian-12 --forward 8080:80 --extra-disk data=20GiB --share ./src:/srv/src',
      does: 'makes one that is reached at port 8080, has a second disk, and sees a folder of this host',
    },
    { command: 'ingot vm create web --image web --on proxmox:home', does: 'makes one on a target, from the template that was published there' },
    { command: 'ingot vm create sealed --image debian-12 --firmware uefi-secure --tpm', does: 'makes one with Secure Boot and a TPM' },
  ],
  async run(input, context) {
    if (input.warm && !input.start)
      throw new IngotError('usage', 'warm-without-start', '--warm starts the VM, and --no-start does not', { hint: 'Leave one of them away.' });
    const name = parseName(input.name, 'a VM');
    const machine = await machineOf(context, input);
    if (input.explain) return { explained: await explainImage(context, machine) };
    const { on } = input;
    if (isRemote(on)) {
      const [{ createOn }, { refuseLocalFlags }] = await Promise.all([import('./vm-create-on.ts'), import('./vm-on.ts')]);
      const { firmware, sshPort, warm, force, unique, extraDisk, share, tpm, passwordLogin, passwordSecret, forward } = input;
      refuseLocalFlags(on, { firmware, sshPort, warm, force, unique, extraDisk, share, tpm, passwordLogin, passwordSecret, forward });
      const { count, cpus, memory, disk } = input;
      const names = count === undefined ? [name] : Array.from({ length: count }, (_, index) => parseName(`${name}-${index + 1}`, 'a VM'));
      const vms = await createOn(context, names, { ...input, on, machine, asked: { cpus, memory, disk } });
      const [only] = vms;
      return count === undefined && only !== undefined ? only : { vms };
    }
    const howMany = { count: input.count, unique: input.unique };
    // Before an image is built for minutes.
    await refuseTaken(context, name, howMany);
    const devices = await devicesOf(context, name, input);
    const request = {
      ...machine,
      ...devices,
      name,
      image: await imageFor(context, machine, { build: input.build }),
      firmware: input.firmware,
      sshPort: input.sshPort,
      start: input.start,
      force: input.force,
      warm: input.warm,
    };
    const made = await createVms(context, request, howMany);
    const views = await Promise.all(made.map((vm) => viewVm(context, vm)));
    const [only] = views;
    return input.count === undefined && only !== undefined ? only : { vms: views };
  },
  render: (result, options) => {
    if ('explained' in result) return renderChoice(result.explained, options);
    return ('vms' in result ? result.vms : [result])
      .flatMap((vm) => {
        const where = `${vm.name}${'on' in vm ? ` --on ${vm.on}` : ''}`;
        return [
          vm.state === 'running'
            ? `${vm.name} is starting. \`ingot vm ssh ${where}\` logs in as soon as it can.`
            : `${vm.name} is made. \`ingot vm start ${where}\` starts it.`,
          ...('forwards' in vm ? vm.forwards.map((forward) => `Port ${describeForward(forward)}`) : []),
        ];
      })
      .join('\n');
  },
});

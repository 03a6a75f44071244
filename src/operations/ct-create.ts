import * as z from 'zod';
import { parseName } from '../base/types.ts';
import { ensureSshKey } from '../platforms/local/ssh.ts';
import { remoteVmSchema } from '../platforms/remote-vms.ts';
import { dropExports, exportFile, publishedImage } from '../publish/image.ts';
import { findTarget } from '../publish/targets.ts';
import { targetReference } from '../platforms/platform.ts';
import { openStore } from '../store/store.ts';
import { clientFile } from './client-file.ts';
import { onContainers, onInput } from './ct-on.ts';
import { defineOperation } from './operation.ts';
import { sizeInput } from './vm-input.ts';
import { readSshKeys } from './vm-login.ts';

export default defineOperation({
  name: 'ct create',
  summary: 'Make a container on a target from an image, and start it',
  description:
    'The root file system of the image travels as an archive, once; containers are made of it there. ingot logs in as root with its key. Docker and Kubernetes belong into VMs: what they need of a container, only root of the node may give.',
  kind: 'job',
  input: z.object({
    name: z.string().min(1).describe("The container's name, which is its hostname too").meta({ positional: true }),
    image: z.string().min(1).describe('The image: name, name:tag or name@sha256:…').meta({ complete: 'image' }),
    on: onInput,
    cpus: z.int().min(1).max(512).default(1).describe('Processors'),
    memory: sizeInput('Memory; default 512MiB', 16 * 2 ** 20).optional(),
    disk: sizeInput('Size of its root file system; default 8GiB').optional(),
    place: z.string().min(1).optional().describe('Its node; default: the one with most room').meta({ placeholder: 'NODE' }),
    storage: z.string().min(1).optional().describe('Where its root file system lies; default: where most room is').meta({ placeholder: 'STORAGE' }),
    privileged: z.boolean().default(false).describe('Its root is root of the node, too; needs Sys.Modify on /'),
    nesting: z.boolean().default(false).describe('Let systemd and others mount in it as newer distributions want'),
    bridge: z.string().min(1).optional().describe('Bridge of its card; default vmbr0').meta({ placeholder: 'BRIDGE' }),
    vlan: z.int().min(1).max(4094).optional().describe('VLAN tag of its card'),
    ip: z.string().optional().describe('Address with prefix, 192.0.2.10/24; default dhcp').meta({ placeholder: 'ADDRESS' }),
    gateway: z.string().optional().describe('Gateway, with --ip').meta({ placeholder: 'ADDRESS' }),
    nameserver: z.string().optional().describe('DNS server; default: that of the node').meta({ placeholder: 'ADDRESS' }),
    sshKey: z.array(clientFile).default([]).describe('File with more public keys that may log in').meta({ placeholder: 'FILE' }),
    unproven: z.boolean().default(false).describe('Also of an image whose gate here has not passed'),
    start: z.boolean().default(true).describe('Start it at once'),
  }),
  output: remoteVmSchema,
  examples: [
    { command: 'ingot ct create web --image debian-12 --on proxmox:home', does: 'makes and starts a container with 1 processor and 512 MiB of memory' },
    {
      command: 'ingot ct create db --image debian-12 --on proxmox:home --memory 2GiB --disk 20GiB --ip 192.0.2.7/24 --gateway 192.0.2.1',
      does: 'a larger one with an address of its own',
    },
  ],
  async run(input, context) {
    const { host, home } = context;
    const name = parseName(input.name, 'a container');
    const { on, place, storage, bridge, vlan, ip, gateway, nameserver } = input;
    const stored = await openStore(host, home).resolve(input.image);
    const image = publishedImage(stored, input.image, targetReference(await findTarget(context, on)), input);
    const key = await ensureSshKey(host, home);
    const sshKeys = [key.publicKey, ...(await readSshKeys(host, input.sshKey))];
    const made = await onContainers(context, on, `Making ${name} on ${on}`, (containers, span) =>
      containers.create({
        name,
        image,
        archive: () => exportFile(context, stored, { format: 'lxc' }),
        machine: { cpus: input.cpus, memory: Math.ceil((input.memory ?? 512 * 2 ** 20) / 2 ** 20), bridge, vlan, ip, gateway, nameserver, sshKeys },
        disk: input.disk ?? 8 * 2 ** 30,
        place,
        storage,
        unprivileged: !input.privileged,
        nesting: input.nesting,
        start: input.start,
        span,
      }),
    );
    await dropExports(context, stored);
    return made;
  },
  render: ({ name, on, state }) =>
    state === 'running'
      ? `${name} is running. \`ingot ct ssh ${name} --on ${on}\` logs in as soon as it can.`
      : `${name} is made. \`ingot ct start ${name} --on ${on}\` starts it.`,
});

import * as z from 'zod';
import { DEFAULT_MACHINE } from '../lab-images/profile.ts';
import { firmwareSchema } from '../platforms/local/guest-spec.ts';
import { durationText, modeText, ownerText, pathText, sizeText } from '../template/text.ts';

/*
 * The lab file: which VMs belong together, in which order they start, and what each is given. Types, messages, the JSON Schema for editors and the
 * reference are all made from this.
 */

/** What a VM is called in its lab, and the lab itself: a label of a host name (RFC 1123). */
const label = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/, 'must have lower-case letters, digits and dashes, 32 of them at most');

const port = z.int().min(1).max(65_535);
const command = z.union([z.string().min(1), z.array(z.string()).min(1)]);

const readySchema = z.union([
  z.enum(['ssh', 'cloud-init']),
  z.strictObject({ port: port.describe('Something listens on this TCP port of the guest') }),
  z.strictObject({ command: command.describe('A command of the guest that ends with exit code 0: a list of words, or a line for sh') }),
]);

const fileSchema = z.strictObject({
  copy: z.string().min(1).describe("A file or folder, relative to the lab file's folder"),
  to: pathText.describe('Where it goes. A folder is copied to this path, and what is there besides stays'),
  owner: ownerText.default('root:root').describe('Owner and group of all of it'),
  mode: modeText.optional().describe("Permissions of files; default: the file's own"),
});

const when = z.enum(['once', 'always']).default('once').describe('once for each content, or at every `ingot lab up`');
const scriptSchema = z.union([
  z.string().min(1),
  z.strictObject({ script: z.string().min(1).describe('A program beside the lab file; its first line (#!) says what runs it, else sh does'), when }),
  z.strictObject({ run: z.string().min(1).describe('Shell commands; the first that fails ends them'), when }),
]);

const vmSchema = z.strictObject({
  image: z.string().min(1).optional().describe('The image that it is made from: name, name:tag or name@sha256:…; default: one that fits roles and release'),
  roles: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe('Roles that the image is to have; it is built where there is none, as by `ingot vm create --role`'),
  release: z.string().min(1).optional().describe('Release of the image; default: the setting default-release'),
  profile: z.string().min(1).optional().describe('What the other keys do not say: small, medium, large or one of your own (`ingot profile list`)'),
  count: z.int().min(0).max(99).optional().describe('So many of them, called web-1, web-2 and so on; without it there is one, called web'),
  cpus: z.int().min(1).max(255).optional().describe(`Processors of each; default ${DEFAULT_MACHINE.cpus}`),
  memory: sizeText.optional().describe(`Memory of each; default ${DEFAULT_MACHINE.memory}`),
  disk: sizeText.optional().describe("Size of the disk; default 10GiB, or the image's where that is more. It can grow later, not shrink"),
  firmware: firmwareSchema.optional().describe('What starts the boot loader; default bios on amd64, uefi on arm64'),
  forwards: z
    .array(z.string().or(z.int()).transform(String))
    .default([])
    .describe('Ports of the host that lead to it: HOST:GUEST, or GUEST for a free port of the host, as `ingot vm forward` takes them')
    .meta({ examples: [['8080:80', '443']] }),
  shares: z
    .array(z.string().min(1))
    .default([])
    .describe("Folders of the host that it sees: FOLDER:PATH, and :ro behind it where it must not write; relative to the lab file's folder"),
  'user-data': z.string().min(1).optional().describe("cloud-init user-data, a file relative to the lab file's folder"),
  after: z
    .union([label, z.array(label)])
    .default([])
    .describe('VMs that have to be ready before it is started'),
  ready: readySchema.default('ssh').describe('When it is ready: one can log in (ssh), cloud-init is done, a port is listened on, or a command succeeds'),
  timeout: durationText.optional().describe('How long each may take to be ready; default 2m, or 10m under software emulation'),
  files: z.array(fileSchema).default([]).describe('Files that it is given, again whenever they change'),
  scripts: z.array(scriptSchema).default([]).describe('Programs that run in it as root, after its files are there'),
});

const network = z
  .string()
  .regex(/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/, 'must be a network such as 10.77.0.0/24')
  .meta({ examples: ['10.77.0.0/24'] });

/** A group of VMs on a network of their own. */
export const labSchema = z.strictObject({
  lab: label.describe("The lab's name; its VMs are called <lab>-<name> among all VMs"),
  platform: z
    .string()
    .regex(/^(?:local|[a-z]+:[a-z](?:[a-z0-9-]*[a-z0-9])?)$/, 'must be local or a target such as proxmox:home')
    .default('local')
    .describe('Where the VMs run: on this host (local), or on a target, from templates that were published there'),
  network: network.optional().describe('The private network of its VMs, in IPv4; default: one that no other lab has'),
  vms: z.record(label, vmSchema).describe('The VMs by name, which is their host name too'),
});
export type LabFile = z.output<typeof labSchema>;
export type LabFileVm = LabFile['vms'][string];

import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { MachineWish, PlaceWish } from '../platforms/platform.ts';
import { readClientFile } from './client-file.ts';
import type { Context } from './operation.ts';
import { sizeInput } from './vm-input.ts';
import { clientFile } from './client-file.ts';

/** Where the template is to be. */
export const placeInput = {
  node: z.array(z.string().min(1)).default([]).describe('Node to publish to; can be given again for one template on each').meta({ placeholder: 'NODE' }),
  allNodes: z.boolean().default(false).describe('One template for each node whose disks others do not see'),
  storage: z.string().optional().describe('Where the disk lies; default: planned, with the reason').meta({ placeholder: 'STORAGE' }),
  uploadStorage: z.string().optional().describe('Where the upload goes; default: planned').meta({ placeholder: 'STORAGE' }),
  vmids: z
    .string()
    .regex(/^\d+-\d+$/, { error: 'is not two numbers, as in 9000-9099' })
    .optional()
    .describe('The numbers that VMs may get; default: the next free one')
    .meta({ placeholder: 'FIRST-LAST' }),
  vmName: z.string().optional().describe('Name of the template, with {name} and {digest}; default {name}-{digest}').meta({ placeholder: 'PATTERN' }),
};

/** What machine the template describes. */
export const publishMachineInput = {
  cpus: z.int().min(1).max(512).optional().describe('Processors; default 2'),
  memory: sizeInput('Memory; default 2GiB', 16 * 2 ** 20).optional(),
  balloon: sizeInput('Memory that the host leaves the guest at least; default: all of it', 0).optional(),
  cpuType: z.string().optional().describe('Processor model; default: the oldest that the release runs on').meta({ placeholder: 'MODEL' }),
  numa: z.boolean().default(false).describe('Show the guest NUMA nodes, which hot-plugged memory needs'),
  firmware: z.enum(['bios', 'uefi', 'uefi-secure']).optional().describe('What starts the boot loader; default bios, or uefi for an image that needs it'),
  tpm: z.boolean().default(false).describe('Give it a TPM 2.0'),
  display: z.enum(['serial', 'std']).default('serial').describe('The console of the web interface: the serial port, or a screen'),
  bridge: z.string().optional().describe('Bridge of the network card; default vmbr0').meta({ placeholder: 'BRIDGE' }),
  vlan: z.int().min(1).max(4094).optional().describe('VLAN tag'),
  mtu: z.int().min(1).max(65_520).optional().describe('MTU of the card; 1 takes that of the bridge'),
  firewall: z.boolean().default(false).describe('Put the card behind the firewall of Proxmox VE'),
  ip: z.string().optional().describe('Address with prefix, 192.0.2.10/24; default dhcp').meta({ placeholder: 'ADDRESS' }),
  gateway: z.string().optional().describe('Gateway, with --ip').meta({ placeholder: 'ADDRESS' }),
  nameserver: z.string().optional().describe('DNS server; default: that of the node').meta({ placeholder: 'ADDRESS' }),
  searchDomain: z.string().optional().describe('Search domain; default: that of the node').meta({ placeholder: 'DOMAIN' }),
  user: z.string().optional().describe("User that cloud-init makes; default: the image's own").meta({ placeholder: 'NAME' }),
  sshKey: z.array(clientFile).default([]).describe('Public key that may log in; can be given again').meta({ clientFile: true }),
  tag: z.array(z.string()).default([]).describe('Tag besides ingot, the name and current; can be given again').meta({ placeholder: 'TAG' }),
  pool: z.string().optional().describe('Pool that it belongs to').meta({ placeholder: 'POOL' }),
  startWithHost: z.boolean().default(false).describe('Clones start with the node'),
};

const machineSchema = z.object(publishMachineInput);
const placeSchema = z.object(placeInput);
const MIB = 2 ** 20;

/** The machine that the flags describe. */
export async function machineWishOf({ host }: Context, input: z.output<typeof machineSchema>): Promise<MachineWish> {
  if (input.gateway !== undefined && input.ip === undefined) {
    throw new IngotError('usage', 'gateway-without-ip', 'A gateway is given, and no address', {
      hint: 'Give --ip too; by DHCP, the gateway comes from there.',
    });
  }
  const keys = await Promise.all(input.sshKey.map(async (path) => publicKeyIn(Buffer.from(await readClientFile(host, path)).toString('utf8'), path)));
  const { cpus, cpuType, firmware, bridge, vlan, mtu, ip, gateway, nameserver, searchDomain, user, pool } = input;
  const wish = {
    ...{ cpus, cpuType, firmware, bridge, vlan, mtu, ip, gateway, nameserver, searchDomain, user, pool },
    memory: input.memory === undefined ? undefined : Math.ceil(input.memory / MIB),
    balloon: input.balloon === undefined ? undefined : Math.ceil(input.balloon / MIB),
    numa: input.numa || undefined,
    tpm: input.tpm || undefined,
    display: input.display === 'std' ? ('std' as const) : undefined,
    firewall: input.firewall || undefined,
    startWithHost: input.startWithHost || undefined,
    sshKeys: keys.length === 0 ? undefined : keys,
    tags: input.tag.length === 0 ? undefined : input.tag,
  };
  // Without those that say nothing, so that the journal can compare it.
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));
}

/** Where the flags want it. */
export function placeWishOf(input: z.output<typeof placeSchema>): PlaceWish {
  const [first = 0, last = 0] = (input.vmids ?? '').split('-').map(Number);
  if (input.vmids !== undefined && (first < 100 || last < first || last > 999_999_999)) {
    throw new IngotError('usage', 'vmids-invalid', `${input.vmids} is no range of VMIDs`, {
      hint: 'They are from 100 to 999999999, the smaller one first: 9000-9099.',
    });
  }
  if (input.allNodes && input.node.length > 0)
    throw new IngotError('usage', 'nodes-twice', '--all-nodes and --node are given', { hint: 'Leave one of them away.' });
  return {
    nodes: input.node,
    allNodes: input.allNodes,
    storage: input.storage,
    uploadStorage: input.uploadStorage,
    namePattern: input.vmName,
    ...(input.vmids === undefined ? {} : { ids: [first, last] as const }),
  };
}

function publicKeyIn(text: string, path: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (/PRIVATE KEY/.test(text))
    throw new IngotError('usage', 'ssh-key-private', `${path} is a private key`, { hint: 'Give the public one, which ends in .pub.' });
  const [line] = lines;
  if (line !== undefined && lines.length === 1 && /^(?:ssh-|ecdsa-|sk-)\S+ \S+/.test(line)) return line.trim();
  throw new IngotError('usage', 'ssh-key-invalid', `${path} holds no single public key of SSH`, {
    hint: 'A public key is one line that begins with ssh-ed25519 or its like.',
  });
}

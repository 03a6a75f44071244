import { isIP } from 'node:net';
import * as z from 'zod';

/*
 * The part of cloud-init's network configuration, version 2 (the same as netplan's), that images need: addresses by DHCP or fixed, VLANs,
 * bridges and bonds. https://cloudinit.readthedocs.io/en/latest/reference/network-config-format-v2.html
 */

const interfaceName = z.string().regex(/^[a-zA-Z0-9_.-]{1,32}$/, 'must be a name of an interface');
const address = z.string().refine(isNetwork, 'must be an address with its prefix, such as 192.0.2.10/24');
const host = z.string().refine((text) => isIP(text) !== 0, 'must be an address');

/** An address with the length of its network's prefix. */
function isNetwork(text: string): boolean {
  const [ip = '', prefix = '', ...more] = text.split('/');
  const version = isIP(ip);
  return version !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128) && more.length === 0;
}

const common = {
  dhcp4: z.boolean().optional().describe('Ask for an IPv4 address'),
  dhcp6: z.boolean().optional().describe('Ask for an IPv6 address'),
  'accept-ra': z.boolean().optional().describe('Follow router advertisements'),
  addresses: z.array(address).optional().describe('Fixed addresses: 192.0.2.10/24'),
  nameservers: z
    .strictObject({
      addresses: z.array(host).optional().describe('Their addresses'),
      search: z.array(z.string()).optional().describe('Domains that are tried'),
    })
    .optional()
    .describe('Name servers'),
  routes: z
    .array(
      z.strictObject({
        to: z
          .string()
          .refine((text) => text === 'default' || isNetwork(text) || isIP(text) !== 0, 'must be default or a network such as 198.51.100.0/24')
          .describe('A network, or default'),
        via: host.describe('The router'),
        metric: z.int().nonnegative().optional().describe('The lower, the better'),
      }),
    )
    .optional()
    .describe('Routes'),
  mtu: z.int().min(68).max(65_535).optional().describe('Largest packet'),
  optional: z.boolean().optional().describe('Starting up does not wait for it'),
};

export const networkSchema = z
  .strictObject({
    ethernets: z
      .record(
        interfaceName,
        z.strictObject({
          match: z
            .strictObject({
              name: z.string().optional().describe('Its name, with * for anything: en*'),
              macaddress: z.string().optional().describe('Its hardware address'),
              driver: z.string().optional().describe('Its driver: virtio_net'),
            })
            .optional()
            .describe('Which card is meant; default: the one of this name'),
          'set-name': interfaceName.optional().describe('Its name from then on'),
          wakeonlan: z.boolean().optional().describe('Wake on LAN'),
          ...common,
        }),
      )
      .optional()
      .describe('Network cards by name'),
    vlans: z
      .record(
        interfaceName,
        z.strictObject({ id: z.int().min(0).max(4094).describe('Its number'), link: interfaceName.describe('The interface below it'), ...common }),
      )
      .optional()
      .describe('VLANs by name'),
    bridges: z
      .record(
        interfaceName,
        z.strictObject({
          interfaces: z.array(interfaceName).describe('What it joins'),
          parameters: z
            .strictObject({ stp: z.boolean().optional().describe('Spanning tree'), 'forward-delay': z.int().optional().describe('Seconds') })
            .optional()
            .describe('How it works'),
          ...common,
        }),
      )
      .optional()
      .describe('Bridges by name'),
    bonds: z
      .record(
        interfaceName,
        z.strictObject({
          interfaces: z.array(interfaceName).describe('What it joins'),
          parameters: z
            .strictObject({
              mode: z
                .enum(['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb'])
                .optional()
                .describe('How the cards share the work'),
              'mii-monitor-interval': z.int().optional().describe('Milliseconds between looks at the links'),
              'lacp-rate': z.enum(['slow', 'fast']).optional().describe('How often 802.3ad asks'),
              'transmit-hash-policy': z.string().optional().describe('What decides which card sends: layer3+4'),
            })
            .optional()
            .describe('How it works'),
          ...common,
        }),
      )
      .optional()
      .describe('Bonds by name'),
  })
  .describe(
    "The image's network, as cloud-init's version 2: it holds in each of its VMs, whatever their platform says. Without it a VM takes its platform's network, else its first card asks DHCP. The gate reaches its VM by DHCP, so one card should ask for it",
  );
export type TemplateNetwork = z.output<typeof networkSchema>;

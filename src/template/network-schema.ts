import * as z from 'zod';

/*
 * The part of cloud-init's network configuration, version 2 (the same as netplan's), that images need: addresses by DHCP or fixed, VLANs,
 * bridges and bonds. https://cloudinit.readthedocs.io/en/latest/reference/network-config-format-v2.html
 */

const interfaceName = z.string().regex(/^[a-zA-Z0-9_.-]{1,32}$/, 'must be a name of an interface');
const address = z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, 'must be an address with its prefix, such as 192.0.2.10/24');
const host = z.string().regex(/^[0-9a-fA-F.:]+$/, 'must be an address');

const common = {
  dhcp4: z.boolean().optional(),
  dhcp6: z.boolean().optional(),
  'accept-ra': z.boolean().optional(),
  addresses: z.array(address).optional(),
  nameservers: z.strictObject({ addresses: z.array(host).optional(), search: z.array(z.string()).optional() }).optional(),
  routes: z.array(z.strictObject({ to: z.string(), via: host, metric: z.int().nonnegative().optional() })).optional(),
  mtu: z.int().min(68).max(65_535).optional(),
  optional: z.boolean().optional(),
};

export const networkSchema = z
  .strictObject({
    ethernets: z
      .record(
        interfaceName,
        z.strictObject({
          match: z.strictObject({ name: z.string().optional(), macaddress: z.string().optional(), driver: z.string().optional() }).optional(),
          'set-name': interfaceName.optional(),
          wakeonlan: z.boolean().optional(),
          ...common,
        }),
      )
      .optional(),
    vlans: z.record(interfaceName, z.strictObject({ id: z.int().min(0).max(4094), link: interfaceName, ...common })).optional(),
    bridges: z
      .record(
        interfaceName,
        z.strictObject({
          interfaces: z.array(interfaceName),
          parameters: z.strictObject({ stp: z.boolean().optional(), 'forward-delay': z.int().optional() }).optional(),
          ...common,
        }),
      )
      .optional(),
    bonds: z
      .record(
        interfaceName,
        z.strictObject({
          interfaces: z.array(interfaceName),
          parameters: z
            .strictObject({
              mode: z.enum(['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb']).optional(),
              'mii-monitor-interval': z.int().optional(),
              'lacp-rate': z.enum(['slow', 'fast']).optional(),
              'transmit-hash-policy': z.string().optional(),
            })
            .optional(),
          ...common,
        }),
      )
      .optional(),
  })
  .describe(
    "The image's network, as cloud-init's version 2: it holds in each of its VMs, whatever their platform says. Without it a VM takes its platform's network, else its first card asks DHCP. The gate reaches its VM by DHCP, so one card should ask for it",
  );
export type TemplateNetwork = z.output<typeof networkSchema>;

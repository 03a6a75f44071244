import * as z from 'zod';
import { onInput } from './vm-input.ts';

/** What one can say of a VM on a target beside image and size. */
export const placeInput = {
  on: onInput.describe('Make it on this target, PLATFORM:NAME, from what was published there; default: this host'),
  place: z
    .string()
    .min(1)
    .optional()
    .describe('With --on, its node or zone; default: the one with the template and the fewest VMs')
    .meta({ placeholder: 'NODE' }),
  full: z.boolean().default(false).describe("With --on, copy the template's disk where a linked clone would do"),
  bridge: z.string().min(1).optional().describe("With --on, the bridge or network of its card; default: the template's").meta({ placeholder: 'BRIDGE' }),
  vlan: z.int().min(1).max(4094).optional().describe('With --on, the VLAN tag of its card'),
  ip: z.string().optional().describe('With --on, its address with prefix, 192.0.2.10/24; default dhcp').meta({ placeholder: 'ADDRESS' }),
  gateway: z.string().optional().describe('With --on, its gateway').meta({ placeholder: 'ADDRESS' }),
  nameserver: z.string().optional().describe('With --on, its DNS server').meta({ placeholder: 'ADDRESS' }),
};

export const placeSchema = z.object(placeInput);

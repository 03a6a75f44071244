import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import type { MachineWish, PlaceWish, TransferWish } from '../platforms/platform.ts';
import { visibilitySchema } from '../platforms/cloudstack/target.ts';
import type { Target } from '../publish/targets.ts';

/** What only CloudStack has: zones, how the file comes there, and what its templates say of themselves. */
export const cloudInput = {
  zone: z.array(z.string().min(1)).default([]).describe('Zone to publish to; can be given again; default: those of the target').meta({ placeholder: 'ZONE' }),
  allZones: z.boolean().default(false).describe('Every zone that is enabled'),
  hypervisor: z
    .string()
    .optional()
    .describe('Only for this hypervisor: KVM, XenServer, VMware; default: all that the zones have')
    .meta({ placeholder: 'NAME' }),
  transfer: z.enum(['serve', 'upload']).optional().describe('Let zones fetch the file from this host (serve, default), or send it to one of them'),
  serve: z.string().optional().describe('Address (and port) at which zones reach this host').meta({ placeholder: 'ADDRESS[:PORT]' }),
  serveTls: z.string().optional().describe('Serve over TLS, with the certificate and key (PEM) in this secret').meta({ placeholder: 'SECRET' }),
  imageUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('Let zones fetch the exported file from there instead')
    .meta({ placeholder: 'URL' }),
  imageSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/i, { error: 'is not a SHA-256 of 64 hexadecimal digits' })
    .optional()
    .describe('SHA-256 of the file at --image-url')
    .meta({ placeholder: 'HEX' }),
  offering: z.string().optional().describe('Service offering of the trial; default: the smallest that will do').meta({ placeholder: 'OFFERING' }),
  network: z.array(z.string()).default([]).describe('Network of the trial; can be given again; default: the only one').meta({ placeholder: 'NETWORK' }),
  osType: z.string().optional().describe('What CloudStack calls the operating system; default: found by the release').meta({ placeholder: 'NAME' }),
  visibility: visibilitySchema.optional().describe('Who may use it once it is current; default private'),
  detail: z
    .array(z.string().regex(/^[A-Za-z][\w.-]*=.*$/, { error: 'is not NAME=VALUE' }))
    .default([])
    .describe('Setting that instances inherit: rootDiskController=scsi; can be given again')
    .meta({ placeholder: 'NAME=VALUE' }),
};
const cloudSchema = z.object(cloudInput);
type CloudInput = z.output<typeof cloudSchema>;

/** Where the flags want it. Throws `zones-twice`, `transfer-twice`, `image-sha256-missing`. */
export function cloudPlaceWish(input: CloudInput): Pick<PlaceWish, 'hypervisor' | 'transfer'> & { readonly zones: readonly string[]; readonly all: boolean } {
  if (input.allZones && input.zone.length > 0)
    throw new IngotError('usage', 'zones-twice', '--all-zones and --zone are given', { hint: 'Leave one of them away.' });
  const transfer = transferOf(input);
  return { zones: input.zone, all: input.allZones, hypervisor: input.hypervisor, ...(transfer === undefined ? {} : { transfer }) };
}

function transferOf({ transfer, serve, serveTls, imageUrl, imageSha256 }: CloudInput): TransferWish | undefined {
  const served = serve !== undefined || serveTls !== undefined;
  if (imageUrl !== undefined) {
    if (transfer !== undefined || served) {
      throw new IngotError('usage', 'transfer-twice', '--image-url is given, and how the file comes from this host', { hint: 'Leave one of them away.' });
    }
    if (imageSha256 === undefined) {
      throw new IngotError('usage', 'image-sha256-missing', 'The SHA-256 of the file at --image-url is missing', {
        hint: 'Give it with --image-sha256: `ingot image export` of this image, then `sha256sum`.',
      });
    }
    return { kind: 'url', url: imageUrl, sha256: imageSha256.toLowerCase() };
  }
  if (imageSha256 !== undefined)
    throw new IngotError('usage', 'image-url-missing', '--image-sha256 is given, and no --image-url', {
      hint: 'Leave it away: what is sent from here is hashed here.',
    });
  if (transfer === 'upload') {
    if (served) throw new IngotError('usage', 'transfer-twice', '--transfer upload is given, and where to serve the file', { hint: 'Leave one of them away.' });
    return { kind: 'upload' };
  }
  return transfer === undefined && !served ? undefined : { kind: 'serve', address: serve, tls: serveTls };
}

/** What the flags say of the template and of its trial, without those that say nothing. */
export function cloudMachineWish({ offering, network, osType, visibility, detail }: CloudInput): MachineWish {
  const details = Object.fromEntries(detail.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]));
  const wish = {
    offering,
    networks: network.length === 0 ? undefined : network,
    osType,
    visibility,
    details: detail.length === 0 ? undefined : details,
  };
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));
}

/** Flags that one kind of platform alone has; those that every template can use are in neither list. */
const ONLY: Readonly<Record<Target['platform'], readonly string[]>> = {
  proxmox: [
    ...['node', 'allNodes', 'storage', 'uploadStorage', 'vmids', 'pool', 'cpus', 'memory', 'balloon', 'cpuType', 'numa', 'tpm', 'startWithHost', 'tag'],
    ...['bridge', 'vlan', 'mtu', 'firewall', 'ip', 'gateway', 'nameserver', 'searchDomain', 'user', 'sshKey'],
  ],
  cloudstack: Object.keys(cloudInput),
};

/** Refuses what says nothing to any of the platforms, so that nobody thinks it was heard. Throws `flag-unfit`. */
export function refuseForeignFlags(platforms: readonly Target['platform'][], input: Readonly<Record<string, unknown>>): void {
  const isGiven = (value: unknown): boolean => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
  const foreign = Object.entries(ONLY).flatMap(([other, keys]) =>
    platforms.some((platform) => platform === other) ? [] : keys.filter((key) => isGiven(input[key])),
  );
  if (foreign.length === 0) return;
  const flags = foreign.map((key) => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new IngotError('usage', 'flag-unfit', `${flags.join(' and ')} ${flags.length === 1 ? 'says' : 'say'} nothing to ${platforms[0]}`, {
    hint: '`ingot publish --help` shows which flag belongs to which platform.',
  });
}

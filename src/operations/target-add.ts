import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { newCloudStackTarget } from '../platforms/cloudstack/add.ts';
import { visibilitySchema } from '../platforms/cloudstack/target.ts';
import { newProxmoxTarget } from '../platforms/proxmox/add.ts';
import { targetReference } from '../platforms/platform.ts';
import { addTarget, findTarget, parseTargetName, targetExists, targetPlatformSchema, targetSecret, type Target } from '../publish/targets.ts';
import { clientFile, readClientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';
import { askedProfile, cloudStackKeys, tokenSecret } from './target-add-secret.ts';

const inputSchema = z.strictObject({
  platform: targetPlatformSchema.meta({ positional: true }).describe('What it is'),
  name: z.string().min(1).meta({ positional: true }).describe('What you call it: home'),
  url: z
    .string()
    .min(1)
    .optional()
    .describe('Where you open its web interface: https://192.168.1.10:8006, https://cloud.example.org/client/api')
    .meta({ placeholder: 'URL' }),
  fingerprint: z
    .string()
    .optional()
    .describe('SHA-256 fingerprint of its certificate; default: the one that it shows, once you agree')
    .meta({ placeholder: 'SHA256' }),
  ca: clientFile.optional().describe('Certificate of the CA that signed its certificate: /etc/pve/pve-root-ca.pem of a node'),
  replace: z.boolean().default(false).describe('Replace a target of that name'),
  tokenId: z.string().optional().describe('The API token, USER@REALM!NAME, without its secret').meta({ placeholder: 'ID' }),
  node: z.string().optional().describe('The node to publish to; default: the one with most free space').meta({ placeholder: 'NODE' }),
  storage: z.string().optional().describe('Where disks of VMs lie; default: planned').meta({ placeholder: 'STORAGE' }),
  uploadStorage: z.string().optional().describe('Where uploads go; default: planned').meta({ placeholder: 'STORAGE' }),
  bridge: z.string().optional().describe('Bridge of the network card; default vmbr0').meta({ placeholder: 'BRIDGE' }),
  pool: z.string().optional().describe('Pool that templates belong to').meta({ placeholder: 'POOL' }),
  cmkProfile: z.string().optional().describe('Take address and keys from this profile of cloudmonkey (cmk)').meta({ placeholder: 'PROFILE' }),
  cmkConfig: clientFile.optional().describe("Cloudmonkey's settings; default ~/.cmk/config"),
  zone: z.array(z.string().min(1)).default([]).describe('Zone to publish to; can be given again; default: all that are enabled').meta({ placeholder: 'ZONE' }),
  offering: z.string().optional().describe('Service offering of trial instances; default: the smallest that will do').meta({ placeholder: 'OFFERING' }),
  network: z.string().optional().describe('Network of trial instances; default: the only one').meta({ placeholder: 'NETWORK' }),
  visibility: visibilitySchema.optional().describe('Who may use templates once they are current; default private'),
  serveTls: z.string().optional().describe('Serve images over TLS, with the certificate and key (PEM) in this secret').meta({ placeholder: 'SECRET' }),
  serve: z.string().optional().describe('Address (and port) at which secondary storage VMs reach this host').meta({ placeholder: 'ADDRESS[:PORT]' }),
  sshFrom: z
    .cidrv4()
    .or(z.cidrv6())
    .optional()
    .describe('From where this host comes as the cloud sees it, behind address translation; instances on isolated networks let it in to their SSH port')
    .meta({ placeholder: 'CIDR' }),
});
type Input = z.output<typeof inputSchema>;

/** What only one kind of platform has. */
const OF_PROXMOX = ['tokenId', 'node', 'storage', 'uploadStorage', 'bridge', 'pool'] as const;
const OF_CLOUDSTACK = ['cmkProfile', 'cmkConfig', 'offering', 'network', 'visibility', 'serve', 'serveTls', 'sshFrom'] as const;

export default defineOperation({
  name: 'target add',
  summary: 'Add a connection to a platform, to publish to',
  description:
    "What opens it (the secret of a token, or an API key and a secret key) is typed without echo, piped in, or taken from INGOT_SECRET_TARGET_PLATFORM_NAME; it is kept in the secret store. The certificate's fingerprint is shown at first use, and checked on every connection before anything is sent; where the system's CAs, or the one given with --ca, vouch for the certificate, they do that instead. The connection is tried before it is kept. docs/proxmox.md and docs/cloudstack.md tell where the web interface shows what is asked for.",
  kind: 'job',
  input: inputSchema,
  headings: {
    'For Proxmox VE': [...OF_PROXMOX],
    'For CloudStack': ['cmkProfile', 'cmkConfig', 'zone', 'offering', 'network', 'visibility', 'serve', 'serveTls', 'sshFrom'],
  },
  output: z.strictObject({ target: z.string(), change: z.enum(['added', 'replaced']), url: z.string(), version: z.string(), trust: z.string() }),
  examples: [
    {
      command: 'ingot target add proxmox home --url https://192.168.1.10:8006 --token-id ingot@pve!home',
      does: 'shows the fingerprint, asks for the secret, and tries it',
    },
    {
      command: 'pass show pve | ingot target add proxmox home --url https://pve:8006 --token-id ingot@pve!home --yes',
      does: 'for a script: takes the secret from another store, and the certificate that is shown',
    },
    {
      command: 'ingot target add cloudstack prod --url https://cloud.example.org/client/api --offering small --network lab',
      does: 'asks for both keys; trials are of that size, on that network',
    },
    { command: 'ingot target add cloudstack prod --cmk-profile prod', does: 'takes address and keys from ~/.cmk/config' },
  ],
  async run(input, context) {
    const named = { platform: input.platform, name: parseTargetName(input.name) };
    const reference = targetReference(named);
    refuseOthers(input);
    // Before anything is typed.
    if (!input.replace && (await isThere(context, reference))) throw targetExists(named);
    const { target, secret, version } = input.platform === 'proxmox' ? await proxmoxTarget(context, input) : await cloudStackTarget(context, input);
    const change = await addTarget(context, target, secret, { replace: input.replace });
    return { target: reference, change, url: target.url, version, trust: target.url.startsWith('http:') ? 'none' : target.trust.kind };
  },
  render({ target, change, url, version, trust }) {
    const product = target.startsWith('proxmox:') ? 'Proxmox VE' : 'CloudStack';
    const known: Readonly<Record<string, string>> = {
      fingerprint: 'known by its fingerprint',
      ca: 'known by its CA',
      system: "known by the system's CAs",
      none: 'not encrypted',
    };
    return `${target} is ${change}: ${product} ${version} at ${url}, ${known[trust] ?? trust}.\n\`ingot target check ${target}\` says what it can take.`;
  },
});

interface New {
  readonly target: Target;
  readonly secret: string;
  readonly version: string;
}

async function proxmoxTarget(context: Context, input: Input): Promise<New> {
  const { name, node, storage, uploadStorage, bridge, pool } = input;
  const tokenId = needed(input.tokenId, '--token-id', 'It is USER@REALM!NAME, as in ingot@pve!home.');
  return await newProxmoxTarget(context, {
    name,
    url: needed(input.url, '--url', 'It is where you open the web interface: https://192.168.1.10:8006.'),
    tokenId,
    fingerprint: input.fingerprint,
    ca: await readCa(context, input),
    defaults: given({ node, storage, uploadStorage, bridge, pool }),
    secret: () => tokenSecret(context, targetSecret(input), tokenId),
  });
}

async function cloudStackTarget(context: Context, input: Input): Promise<New> {
  const { name, zone, offering, network, visibility, serve, serveTls, sshFrom } = input;
  const profile = await askedProfile(context, input);
  return await newCloudStackTarget(context, {
    name,
    url: needed(input.url ?? profile?.url, '--url', 'It is where you open the web interface, or that of the API: https://cloud.example.org/client/api.'),
    fingerprint: input.fingerprint,
    ca: await readCa(context, input),
    defaults: given({ zones: zone.length === 0 ? undefined : zone, offering, network, visibility, serve, serveTls, sshFrom }),
    keys: () => cloudStackKeys(context, targetSecret(input), profile),
  });
}

async function readCa({ host }: Context, { ca }: Input): Promise<string | undefined> {
  return ca === undefined ? undefined : Buffer.from(await readClientFile(host, ca)).toString('utf8');
}

/** Without those that say nothing: they are not kept. */
function given<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(all).filter(([, value]) => value !== undefined);
  const result: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  return Object.assign(result, Object.fromEntries(entries));
}

function needed(value: string | undefined, flag: string, hint: string): string {
  if (value !== undefined) return value;
  throw new IngotError('usage', 'flag-missing', `${flag} is missing`, { hint });
}

function refuseOthers(input: Input): void {
  const others = input.platform === 'proxmox' ? OF_CLOUDSTACK : OF_PROXMOX;
  const wrong = others.filter((key) => input[key] !== undefined);
  if (wrong.length === 0) return;
  const flags = wrong.map((key) => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  throw new IngotError('usage', 'flag-unfit', `${flags.join(' and ')} ${wrong.length === 1 ? 'says' : 'say'} nothing to ${input.platform}`, {
    hint: '`ingot target add --help` shows which flag belongs to which platform.',
  });
}

async function isThere(context: Context, reference: string): Promise<boolean> {
  try {
    await findTarget(context, reference);
    return true;
  } catch (error) {
    if (error instanceof IngotError && error.code === 'target-unknown') return false;
    throw error;
  }
}

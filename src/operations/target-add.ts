import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { LARGEST_SECRET, secretVariable } from '../base/secrets.ts';
import { newProxmoxTarget } from '../platforms/proxmox/add.ts';
import { addTarget, findTarget, parseTargetName, targetExists, targetPlatformSchema, targetReference, targetSecret } from '../publish/targets.ts';
import { clientFile, readClientFile } from './client-file.ts';
import { defineOperation, type Context } from './operation.ts';

export default defineOperation({
  name: 'target add',
  summary: 'Add a connection to a platform, to publish to',
  description:
    "The token's secret is typed without echo, piped in, or taken from INGOT_SECRET_TARGET_PROXMOX_NAME; it is kept in the secret store. The certificate's fingerprint is shown at first use, and checked on every connection before the token is sent; where the system's CAs, or the one given with --ca, vouch for the certificate, they do that instead. The connection is tried before it is kept. docs/proxmox.md tells where the web interface shows what is asked for.",
  kind: 'job',
  input: z.strictObject({
    platform: targetPlatformSchema.meta({ positional: true }).describe('What it is'),
    name: z.string().min(1).meta({ positional: true }).describe('What you call it: home'),
    url: z.string().min(1).describe('Where you open its web interface: https://192.168.1.10:8006').meta({ placeholder: 'URL' }),
    tokenId: z.string().min(1).describe('The API token, USER@REALM!NAME, without its secret').meta({ placeholder: 'ID' }),
    fingerprint: z
      .string()
      .optional()
      .describe('SHA-256 fingerprint of its certificate; default: the one that it shows, once you agree')
      .meta({ placeholder: 'SHA256' }),
    ca: clientFile.optional().describe('Certificate of the CA that signed its certificate: /etc/pve/pve-root-ca.pem of a node'),
    node: z.string().optional().describe('The node to publish to; default: the one with most free space').meta({ placeholder: 'NODE' }),
    storage: z.string().optional().describe('Where disks of VMs lie; default: planned').meta({ placeholder: 'STORAGE' }),
    uploadStorage: z.string().optional().describe('Where uploads go; default: planned').meta({ placeholder: 'STORAGE' }),
    bridge: z.string().optional().describe('Bridge of the network card; default vmbr0').meta({ placeholder: 'BRIDGE' }),
    pool: z.string().optional().describe('Pool that templates belong to').meta({ placeholder: 'POOL' }),
    replace: z.boolean().default(false).describe('Replace a target of that name'),
  }),
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
  ],
  async run(input, context) {
    const name = parseTargetName(input.name);
    const named = { platform: input.platform, name };
    const reference = targetReference(named);
    // Before anything is typed.
    if (!input.replace && (await isThere(context, reference))) throw targetExists(named);
    const ca = input.ca === undefined ? undefined : Buffer.from(await readClientFile(context.host, input.ca)).toString('utf8');
    const defaults = { node: input.node, storage: input.storage, uploadStorage: input.uploadStorage, bridge: input.bridge, pool: input.pool };
    const { target, secret, version } = await newProxmoxTarget(context, {
      name,
      url: input.url,
      tokenId: input.tokenId,
      fingerprint: input.fingerprint,
      ca,
      defaults: Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== undefined)),
      secret: () => secretOf(context, targetSecret(named), input.tokenId),
    });
    const change = await addTarget(context, target, secret, { replace: input.replace });
    return { target: reference, change, url: target.url, version, trust: target.trust.kind };
  },
  render: ({ target, change, url, version, trust }) =>
    `${target} is ${change}: Proxmox VE ${version} at ${url}, known by ${trust === 'fingerprint' ? 'its fingerprint' : trust === 'ca' ? 'its CA' : "the system's CAs"}.\n\`ingot target check ${target}\` says what it can take.`,
});

async function isThere(context: Context, reference: string): Promise<boolean> {
  try {
    await findTarget(context, reference);
    return true;
  } catch (error) {
    if (error instanceof IngotError && error.code === 'target-unknown') return false;
    throw error;
  }
}

async function secretOf(context: Context, name: string, tokenId: string): Promise<string> {
  const variable = secretVariable(name);
  const fromEnvironment = context.host.env[variable];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  const piped = await context.standardInput(LARGEST_SECRET);
  const text = piped === undefined ? '' : Buffer.from(piped).toString('utf8').trim();
  if (text !== '') return text;
  return await context.askHidden(`Secret of the token ${tokenId}`, { otherwise: `Where nobody can type it, pipe it in, or give it in ${variable}.` });
}

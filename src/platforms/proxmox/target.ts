import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { trustSchema } from '../trust.ts';

/** What holds for every publication to a target, unless a command says something else. */
export const proxmoxDefaultsSchema = z.strictObject({
  node: z.string().optional(),
  storage: z.string().optional(),
  uploadStorage: z.string().optional(),
  bridge: z.string().optional(),
  pool: z.string().optional(),
});

/** A connection to Proxmox VE, as it is kept: all but the token's secret. */
export const proxmoxTargetSchema = z.strictObject({
  platform: z.literal('proxmox'),
  name: z.string(),
  /** Scheme, host and port alone. */
  url: z.string(),
  tokenId: z.string(),
  trust: trustSchema,
  defaults: proxmoxDefaultsSchema.default({}),
});
export type ProxmoxTarget = z.output<typeof proxmoxTargetSchema>;

/** Where the web interface and the API listen. */
const PORT = '8006';

/** The server's address without path, with the port that Proxmox VE listens on where none is given. Throws `target-url-invalid`; plain HTTP is refused. */
export function parseServerUrl(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  const why =
    url === undefined
      ? 'is no address'
      : url.protocol !== 'https:'
        ? 'is not an https address: the token must not travel in the clear'
        : url.username !== '' || url.password !== ''
          ? 'holds a user: a token is given with --token-id'
          : undefined;
  if (url === undefined || why !== undefined) {
    throw new IngotError('usage', 'target-url-invalid', `"${url === undefined ? text : `${url.protocol}//${url.host}`}" ${why}`, {
      hint: 'It is the address at which you open the web interface: https://192.168.1.10:8006.',
    });
  }
  // `https://pve:443` has lost its port by now: who means it uses a reverse proxy, whose address has none in a browser either.
  const port = url.port === '' && !/:443(?:\/|$)/.test(full) ? `:${PORT}` : url.port === '' ? '' : `:${url.port}`;
  return `https://${url.hostname}${port}`;
}

const TOKEN_ID = /^[^\s:/!@]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+$/;

/** Checks the form `USER@REALM!NAME`. Throws `token-id-invalid`; what holds the secret as well is refused without being shown. */
export function parseTokenId(text: string): string {
  if (TOKEN_ID.test(text)) return text;
  const secret = text.includes('=');
  throw new IngotError('usage', 'token-id-invalid', secret ? 'The ID of the token holds its secret as well' : `"${text}" is not the ID of an API token`, {
    hint: secret
      ? 'Give what stands before the equals sign; you are asked for the rest.'
      : 'It is USER@REALM!NAME, as in ingot@pve!home: the web interface shows it under Datacenter, Permissions, API Tokens.',
  });
}

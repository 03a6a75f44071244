import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { trustSchema } from '../trust.ts';
import type { Keys } from './signing.ts';

/** Who may use a template once it is current: its account alone, everybody, or everybody and at the top of the catalogue. */
export const VISIBILITIES = ['private', 'public', 'featured'] as const;
export const visibilitySchema = z.enum(VISIBILITIES);

/** What holds for every publication to a target, unless a command says something else. */
export const cloudstackDefaultsSchema = z.strictObject({
  zones: z.array(z.string()).optional(),
  offering: z.string().optional(),
  network: z.string().optional(),
  visibility: visibilitySchema.optional(),
  /** The network from which this host is seen by the cloud, as CIDR: it alone is let in to the SSH port of an instance behind address translation. */
  sshFrom: z.string().optional(),
  /** Address, or address:port, at which secondary storage VMs reach this host. */
  serve: z.string().optional(),
  /** Name of the secret with a certificate and its key, to serve images over TLS. */
  serveTls: z.string().optional(),
});

/** A connection to CloudStack, as it is kept: all but the keys. */
export const cloudstackTargetSchema = z.strictObject({
  platform: z.literal('cloudstack'),
  name: z.string(),
  /** Of the API: `https://cloud.example.org/client/api`. */
  url: z.string(),
  trust: trustSchema,
  defaults: cloudstackDefaultsSchema.default({}),
});
export type CloudStackTarget = z.output<typeof cloudstackTargetSchema>;

/**
 * The address of the API. That of the web interface will do. Plain HTTP is taken, since many management servers have nothing else: the secret key is never
 * sent, but answers (with passwords of instances) can be read on the way. Throws `target-url-invalid`.
 */
export function parseApiUrl(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  const why =
    url === undefined || url.hostname === ''
      ? 'is no address'
      : url.protocol !== 'https:' && url.protocol !== 'http:'
        ? 'is neither an https nor an http address'
        : url.username !== '' || url.password !== ''
          ? 'holds a user: the keys are asked for'
          : undefined;
  if (url === undefined || why !== undefined) {
    throw new IngotError('usage', 'target-url-invalid', `"${url === undefined ? text : `${url.protocol}//${url.host}`}" ${why}`, {
      hint: 'It is the address at which you open the web interface, or that of the API: https://cloud.example.org/client/api.',
    });
  }
  const path = url.pathname.replace(/\/+$/, '');
  const api = path === '' ? '/client/api' : path.endsWith('/client') ? `${path}/api` : path;
  return `${url.protocol}//${url.host}${api}`;
}

/** The keys as the secret store has them, in one text: what opens a target is one secret. */
export function joinKeys({ apiKey, secretKey }: Keys): string {
  return `${apiKey}:${secretKey}`;
}

/** The keys in a text that {@link joinKeys} made, or that stands in the environment. Throws `keys-invalid`, never with the text. */
export function parseKeys(text: string): Keys {
  const [apiKey = '', secretKey = '', ...more] = text.trim().split(/[:\s]+/);
  if (apiKey !== '' && secretKey !== '' && more.length === 0) return { apiKey, secretKey };
  throw new IngotError('usage', 'keys-invalid', 'What was given is not an API key and a secret key', {
    hint: 'It is APIKEY:SECRETKEY: the web interface shows both under the user, "View keys".',
  });
}

import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere } from '../base/files.ts';
import { openSecrets, type SecretsAccess } from '../base/secrets.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
  /** Where they come from, for messages. */
  readonly from: string;
}

const dockerSchema = z.looseObject({
  auths: z.record(z.string(), z.looseObject({ auth: z.string().optional(), identitytoken: z.string().optional() })).optional(),
});

/** The secret that holds `user:password` of a server: `registry-registry-example-5000`. */
export function secretOfServer(server: string): string {
  return `registry-${server.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}`.slice(0, 64);
}

/**
 * User and password of a registry: from the secret store or environment, else from Docker's config.json (its `auths`; programs that it may name there are
 * not started). Undefined where there are none. Throws `credentials-invalid` and what opening the secrets throws.
 */
export async function credentialsFor(access: SecretsAccess, server: string): Promise<Credentials | undefined> {
  const secret = secretOfServer(server);
  try {
    return parted((await openSecrets(access).value(secret)).trim(), `the secret ${secret}`);
  } catch (error) {
    if (!(error instanceof IngotError) || error.code !== 'secret-unknown') throw error;
  }
  return await dockerCredentials(access, server);
}

async function dockerCredentials({ host }: SecretsAccess, server: string): Promise<Credentials | undefined> {
  const folder = host.env['DOCKER_CONFIG'] ?? (host.env['HOME'] === undefined ? undefined : join(host.env['HOME'], '.docker'));
  const path = folder === undefined ? undefined : join(folder, 'config.json');
  const text = path === undefined ? undefined : await readTextIfThere(host.files, path);
  if (path === undefined || text === undefined) return undefined;
  const config = dockerSchema.safeParse(parseJson(text));
  const auth = config.success ? (config.data.auths?.[server] ?? config.data.auths?.[`https://${server}`])?.auth : undefined;
  return auth === undefined || auth === '' ? undefined : parted(Buffer.from(auth, 'base64').toString('utf8'), path);
}

function parted(text: string, from: string): Credentials {
  const colon = text.indexOf(':');
  if (colon > 0) return { user: text.slice(0, colon), password: text.slice(colon + 1), from };
  // Never with the text.
  throw new IngotError('usage', 'credentials-invalid', `What ${from} holds is not a user and a password with a colon between them`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

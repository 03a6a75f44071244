import { join } from 'node:path';
import { IngotError } from '../base/errors.ts';
import { LARGEST_SECRET, secretVariable } from '../base/secrets.ts';
import { CMK_CONFIG, cmkProfile, type CmkProfile } from '../platforms/cloudstack/cmk.ts';
import type { Keys } from '../platforms/cloudstack/signing.ts';
import { parseKeys } from '../platforms/cloudstack/target.ts';
import { readClientFile } from './client-file.ts';
import type { Context } from './operation.ts';

/** Variables that other programs for CloudStack (Terraform's provider among them) read the keys from. */
const [API_KEY, SECRET_KEY] = ['CLOUDSTACK_API_KEY', 'CLOUDSTACK_SECRET_KEY'];

/** What is piped in or stands in the environment, if anything. */
async function givenSecret(context: Context, variable: string): Promise<string | undefined> {
  const fromEnvironment = context.host.env[variable];
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  const piped = await context.standardInput(LARGEST_SECRET);
  const text = piped === undefined ? '' : Buffer.from(piped).toString('utf8').trim();
  return text === '' ? undefined : text;
}

/** The secret of a token of Proxmox VE: from the environment, piped in, or typed. */
export async function tokenSecret(context: Context, name: string, tokenId: string): Promise<string> {
  const variable = secretVariable(name);
  return (
    (await givenSecret(context, variable)) ??
    (await context.askHidden(`Secret of the token ${tokenId}`, { otherwise: `Where nobody can type it, pipe it in, or give it in ${variable}.` }))
  );
}

/** The keys of CloudStack: from a profile of cloudmonkey, from the environment, piped in as APIKEY:SECRETKEY, or typed. Throws `keys-invalid`. */
export async function cloudStackKeys(context: Context, name: string, profile: CmkProfile | undefined): Promise<Keys> {
  if (profile !== undefined) return { apiKey: profile.apiKey, secretKey: profile.secretKey };
  const { env } = context.host;
  const [apiKey, secretKey] = [env[API_KEY] ?? '', env[SECRET_KEY] ?? ''];
  if (apiKey !== '' && secretKey !== '') return { apiKey, secretKey };
  const variable = secretVariable(name);
  const given = await givenSecret(context, variable);
  if (given !== undefined) return parseKeys(given);
  const otherwise = `Where nobody can type it, pipe in APIKEY:SECRETKEY, or give that in ${variable}, or both in ${API_KEY} and ${SECRET_KEY}.`;
  const typed = await context.askHidden('API key', { otherwise });
  return parseKeys(`${typed.trim()}:${(await context.askHidden('Secret key', { otherwise })).trim()}`);
}

/** The profile of cloudmonkey that is asked for, if any. Throws what `cmkProfile` throws, and `file-missing`. */
export async function askedProfile(
  context: Context,
  input: { readonly cmkProfile?: string | undefined; readonly cmkConfig?: string | undefined },
): Promise<CmkProfile | undefined> {
  if (input.cmkProfile === undefined && input.cmkConfig === undefined) return undefined;
  const path = input.cmkConfig ?? join(homeFolder(context), CMK_CONFIG);
  const profile = cmkProfile(Buffer.from(await readClientFile(context.host, path)).toString('utf8'), input.cmkProfile, path);
  if (!profile.verify) context.events.message('warn', `${path} switches the check of certificates off; ingot checks it all the same`);
  return profile;
}

function homeFolder({ host }: Context): string {
  const home = host.env['HOME'];
  if (home !== undefined && home !== '') return home;
  throw new IngotError('usage', 'home-unknown', 'HOME is not set, so the settings of cloudmonkey are not found', {
    hint: 'Give their file with --cmk-config.',
  });
}

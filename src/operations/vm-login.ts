import { IngotError } from '../base/errors.ts';
import type { Host } from '../base/host.ts';
import { openSecrets } from '../base/secrets.ts';
import { requireTools } from '../doctor/install.ts';
import { checkNetworkConfig, checkUserData, checkVendorData, cloudInitText } from '../platforms/local/cloud-init-files.ts';
import type { NewVm } from '../platforms/local/create.ts';
import { hashPassword } from '../platforms/local/password.ts';
import { sshKeys } from '../template/key-text.ts';
import { readClientFile } from './client-file.ts';
import type { Context } from './operation.ts';

/** A password is a line. */
const READ_LIMIT = 4096;

interface CloudInitFiles {
  readonly userData: string | undefined;
  readonly networkConfig: string | undefined;
  readonly vendorData: string | undefined;
}

/** Reads and checks the user's files for cloud-init. Throws `file-missing`, `user-data-invalid`, `network-config-invalid`, `vendor-data-invalid`. */
export async function readCloudInitFiles(host: Host, files: CloudInitFiles): Promise<Pick<NewVm, 'userData' | 'networkConfig' | 'vendorData'>> {
  const read = async (kind: Parameters<typeof cloudInitText>[0], file: string | undefined, check: (file: string, text: string) => void) => {
    if (file === undefined) return undefined;
    const text = cloudInitText(kind, file, await readClientFile(host, file));
    check(file, text);
    return text;
  };
  const userData = await read('user-data', files.userData, checkUserData);
  const networkConfig = await read('network-config', files.networkConfig, checkNetworkConfig);
  const vendorData = await read('vendor-data', files.vendorData, checkVendorData);
  return { userData, ...(networkConfig === undefined ? {} : { networkConfig }), ...(vendorData === undefined ? {} : { vendorData }) };
}

/** The public keys in files. Throws `file-missing`, `ssh-key-invalid`. */
export async function readSshKeys(host: Host, files: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  for (const file of files) {
    const read = sshKeys(Buffer.from(await readClientFile(host, file)).toString('utf8'));
    if ('message' in read) throw new IngotError('usage', 'ssh-key-invalid', `${file} ${read.message}`);
    keys.push(...read.value);
  }
  return keys;
}

/** Gets a password, from a secret, a pipe or a terminal, and hashes it at once. Nothing where none is wanted. Throws `password-invalid`, `input-needed`. */
export async function newPassword(
  context: Context,
  wish: { readonly login: boolean; readonly secret: string | undefined; readonly of: string },
): Promise<Pick<NewVm, 'passwordHash'>> {
  if (!wish.login && wish.secret === undefined) return {};
  await requireTools(context, ['openssl']);
  return { passwordHash: await hashPassword(context.host, await passwordOf(context, wish)) };
}

async function passwordOf(context: Context, { secret, of }: { readonly secret: string | undefined; readonly of: string }): Promise<string> {
  const piped = secret === undefined ? await context.standardInput(READ_LIMIT) : undefined;
  const text = secret === undefined ? (piped === undefined ? undefined : Buffer.from(piped).toString('utf8')) : await openSecrets(context).value(secret);
  if (text !== undefined) return text.replace(/\r?\n$/, '');
  return await context.askHidden(`Password for ${of}`, { repeat: true, otherwise: 'Where nobody can type it, pipe it in, or use --password-secret.' });
}

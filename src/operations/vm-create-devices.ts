import * as z from 'zod';
import { requireTools } from '../doctor/install.ts';
import type { NewVm } from '../platforms/local/create.ts';
import { parseNewDisk } from '../platforms/local/extra-disks.ts';
import { parseForward } from '../platforms/local/forwards.ts';
import { parseShare } from '../platforms/local/shares.ts';
import { clientFile } from './client-file.ts';
import type { Context } from './operation.ts';
import { parsedInput } from './vm-input.ts';
import { newPassword, readCloudInitFiles, readSshKeys } from './vm-login.ts';

/** The flags that say what a VM is made of besides its disk and its memory, and who may log in. */
export const deviceInput = {
  sshKey: z.array(clientFile).default([]).describe('File with more public keys that may log in').meta({ placeholder: 'FILE' }),
  passwordLogin: z.boolean().default(false).describe('Let a password in, too: it is typed, or piped in'),
  passwordSecret: z.string().optional().describe('The same, with the password that this secret holds').meta({ placeholder: 'SECRET' }),
  forward: z
    .array(parsedInput(parseForward))
    .default([])
    .describe('Port of this host that leads to one of the VM: HOST:GUEST, or GUEST for a free one')
    .meta({ placeholder: '[udp:][ADDRESS:][HOST:]GUEST' }),
  extraDisk: z.array(parsedInput(parseNewDisk)).default([]).describe('An empty disk more, /dev/disk/by-id/virtio-NAME').meta({ placeholder: 'NAME=SIZE' }),
  share: z.array(z.string()).default([]).describe('Folder of this host that is mounted in the VM').meta({ placeholder: 'HOST:GUEST[:ro]' }),
  tpm: z.boolean().default(false).describe('Give it a TPM 2.0'),
  userData: clientFile.optional().describe('cloud-init user-data of your own').meta({ placeholder: 'FILE' }),
  networkConfig: clientFile.optional().describe('cloud-init network configuration').meta({ placeholder: 'FILE' }),
  vendorData: clientFile.optional().describe("cloud-init vendor-data, beside ingot's own").meta({ placeholder: 'FILE' }),
};

const deviceSchema = z.object(deviceInput);
export type DeviceFlags = z.output<typeof deviceSchema>;

type Devices = Pick<NewVm, 'userData' | 'networkConfig' | 'vendorData' | 'sshKeys' | 'passwordHash' | 'forwards' | 'extraDisks' | 'shares' | 'tpm'>;

/** Reads and checks all that the flags name. A password is asked for last: nobody types one for what was wrong anyway. */
export async function devicesOf(context: Context, name: string, flags: DeviceFlags): Promise<Devices> {
  const { host, folder } = context;
  const shares = flags.share.map((text) => parseShare(text, folder));
  const files = await readCloudInitFiles(host, { userData: flags.userData, networkConfig: flags.networkConfig, vendorData: flags.vendorData });
  const sshKeys = await readSshKeys(host, flags.sshKey);
  if (flags.tpm) await requireTools(context, ['swtpm']);
  const password = await newPassword(context, { login: flags.passwordLogin, secret: flags.passwordSecret, of: name });
  return { ...files, ...password, sshKeys, forwards: flags.forward, extraDisks: flags.extraDisk, shares, tpm: flags.tpm };
}

import { createHash } from 'node:crypto';
import type { CloudStackClient } from './client.ts';
import { REQUESTS } from './requests.ts';

/**
 * The name of the key pair of a public key in the account; it is registered where there is none. An account has each key once, so instances share it, and it
 * stays when they go.
 */
export async function ensureKeyPair(client: CloudStackClient, publicKey: string): Promise<string> {
  const blob = Buffer.from(publicKey.trim().split(/\s+/)[1] ?? '', 'base64');
  const fingerprint = createHash('md5')
    .update(blob)
    .digest('hex')
    .replaceAll(/(..)(?=.)/g, '$1:');
  const name = `ingot-${createHash('sha256').update(blob).digest('hex').slice(0, 12)}`;
  const look = async (): Promise<string | undefined> => {
    const all = await client.all(REQUESTS.keyPairs());
    return (all.find((one) => one.name === name) ?? all.find((one) => one.fingerprint === fingerprint))?.name;
  };
  return (await look()) ?? (await client.change(REQUESTS.registerKeyPair(name, publicKey.trim()), { what: `registering the key ${name}`, look }));
}

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { IngotError } from '../base/errors.ts';
import { readTextIfThere, replaceFile } from '../base/files.ts';
import { openSecrets, type SecretsAccess } from '../base/secrets.ts';

/** The secret that holds the private key: PKCS #8 in PEM. The environment can give it as INGOT_SECRET_SIGNING_KEY. */
export const SIGNING_SECRET = 'signing-key';

/** A public key as ingot writes it: `ed25519:` and base64 of its 32 bytes. */
export const PUBLIC_KEY = /^ed25519:([A-Za-z0-9+/]{43}=)$/;

/** DER before the 32 bytes of an Ed25519 key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export interface PublicKey {
  /** `ed25519:…`, as settings and flags have it. */
  readonly text: string;
  /** SHA-256 of the key as SubjectPublicKeyInfo, in hexadecimal: what signatures name it by. */
  readonly id: string;
  readonly key: KeyObject;
}

export interface SigningKey {
  readonly public: PublicKey;
  readonly private: KeyObject;
}

/** A public key from its text; throws `key-invalid`. */
export function parsePublicKey(text: string): PublicKey {
  const raw = Buffer.from(PUBLIC_KEY.exec(text.trim())?.[1] ?? '', 'base64');
  if (raw.length !== 32) {
    throw new IngotError('usage', 'key-invalid', `${JSON.stringify(text)} is not a public key`, {
      hint: 'A key is ed25519: and 44 characters of base64, as `ingot key show` prints it.',
    });
  }
  return publicKeyOf(createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' }));
}

/** The keys of a list with commas between them; throws `key-invalid`. */
export function parsePublicKeys(text: string | undefined): PublicKey[] {
  return (text ?? '').split(',').flatMap((one) => (one.trim() === '' ? [] : [parsePublicKey(one)]));
}

/** The public key in PEM, for openssl and its like. */
export function pemOf({ key }: PublicKey): string {
  return String(key.export({ format: 'pem', type: 'spki' }));
}

/**
 * The key that signs for this home: from the environment or the secret store, made at first use. The public part is kept beside it in the clear, so
 * that checking what ingot itself signed opens no secret. Throws `signing-key-invalid`, and what opening the secrets throws.
 */
export async function signingKey(access: SecretsAccess): Promise<SigningKey> {
  const { host, home } = access;
  const secrets = openSecrets(access);
  const stored = await secrets.value(SIGNING_SECRET).catch(async (error: unknown) => {
    if (!(error instanceof IngotError) || error.code !== 'secret-unknown') throw error;
    const made = String(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
    // Two that make one at the same time must both use the one that stays.
    await secrets.setIfMissing(SIGNING_SECRET, made);
    return await secrets.value(SIGNING_SECRET);
  });
  const key = keyFromPem(stored);
  if ((await readTextIfThere(host.files, home.signingPublic))?.trim() !== key.public.text) {
    await host.files.makeDirectory(home.keys, 0o700);
    await replaceFile(host.files, home.signingPublic, `${key.public.text}\n`);
  }
  return key;
}

/** The public key of this home, where it has signed before; opens no secret. */
export async function ownPublicKey({ host, home }: Pick<SecretsAccess, 'host' | 'home'>): Promise<PublicKey | undefined> {
  const text = await readTextIfThere(host.files, home.signingPublic);
  return text === undefined ? undefined : parsePublicKey(text);
}

function keyFromPem(pem: string): SigningKey {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return { private: key, public: publicKeyOf(createPublicKey(key)) };
  } catch {
    // The cause could quote the key.
  }
  throw new IngotError('usage', 'signing-key-invalid', `The secret "${SIGNING_SECRET}" is not an Ed25519 key in PEM (PKCS #8)`, {
    hint: `Remove it (\`ingot secret remove ${SIGNING_SECRET}\`), and ingot makes one; or store another: openssl genpkey -algorithm ed25519 | ingot secret set ${SIGNING_SECRET}`,
  });
}

function publicKeyOf(key: KeyObject): PublicKey {
  const der = key.export({ format: 'der', type: 'spki' });
  return { key, text: `ed25519:${der.subarray(SPKI_PREFIX.length).toString('base64')}`, id: createHash('sha256').update(der).digest('hex') };
}

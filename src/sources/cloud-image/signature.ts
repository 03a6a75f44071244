import { join } from 'node:path';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { binaryKeys } from '../../base/openpgp.ts';
import type { HostPath } from '../../base/types.ts';

export interface SignedBy {
  /** Files of public keys, armored or binary. */
  readonly keys: readonly Uint8Array[];
  /** Of primary keys, upper-case hexadecimal digits: one of them, or a subkey of one, has signed. */
  readonly fingerprints: readonly string[];
  /** What is signed, in messages. */
  readonly what: string;
  /** An empty folder of ours. */
  readonly scratch: HostPath;
  readonly signal: AbortSignal;
}

/** Verifies a signature that is a file of its own, binary or armored. Returns the fingerprint of the primary key that made it. Throws `signature-…`. */
export async function verifyDetached(host: Host, signature: Uint8Array, signedFile: string, by: SignedBy): Promise<string> {
  const path = join(by.scratch, 'signature');
  await host.files.write(path, signature);
  return await verify(host, by, [path, signedFile]);
}

/** Verifies a clear-signed text. Returns what is signed, and nothing around it, with the fingerprint of the primary key. Throws `signature-…`. */
export async function verifyInline(host: Host, text: Uint8Array, by: SignedBy): Promise<{ readonly text: Uint8Array; readonly fingerprint: string }> {
  const [path, output] = [join(by.scratch, 'signed'), join(by.scratch, 'verified')];
  await host.files.write(path, text);
  await host.files.remove(output);
  const fingerprint = await verify(host, by, ['--output', output, path]);
  return { text: await host.files.read(output), fingerprint };
}

async function verify(host: Host, by: SignedBy, words: readonly string[]): Promise<string> {
  const keyring = join(by.scratch, 'keys');
  await host.files.write(keyring, Buffer.concat(by.keys.map(binaryKeys)));
  // gpgv looks at no key of the user's, and its status lines are its interface; what it exits with says too little.
  const { stdout, stderr } = await host.processes.run(['gpgv', '--homedir', by.scratch, '--keyring', keyring, '--status-fd', '1', ...words], {
    accept: [1, 2],
    signal: by.signal,
    timeout: 600,
  });
  return judge(stdout, stderr, by);
}

/**
 * What gpgv's status lines come to: the fingerprint of a pinned primary key that has signed, or the error that says what is wrong. While keys change,
 * distributions sign with the old and the new one: one good signature of a pinned key is enough, but none may be of other bytes.
 */
export function judge(status: string, output: string, { what, fingerprints }: Pick<SignedBy, 'what' | 'fingerprints'>): string {
  const signatures = signaturesOf(status);
  const wrong = signatures.find((signature) => signature.has('BADSIG'));
  // The last word is the primary key's fingerprint; the first may be a subkey's.
  const signers = signatures.filter((signature) => signature.has('GOODSIG')).map((signature) => signature.get('VALIDSIG')?.at(-1) ?? '');
  const good = signers.find((signer) => fingerprints.includes(signer));
  if (good !== undefined && wrong === undefined) return good;

  const error = (code: string, message: string, hint: string, ...detail: readonly string[]): IngotError =>
    new IngotError('verification', code, message, { hint, detail: [...detail, ...fingerprints.map((each) => `pinned     ${each}`)].join('\n') });
  const unknown = (by: string): IngotError =>
    error(
      'signature-key-unknown',
      `${what} is signed by a key that is not pinned`,
      'If the distribution has announced a new key, the catalog needs it; else somebody is between you and the mirror.',
      `signed by  ${by}`,
    );
  if (wrong !== undefined)
    throw error(
      'signature-wrong',
      `The signature of ${what} is of other bytes`,
      'They were changed, or the mirror is in the middle of an update; use another one.',
    );
  const [signer] = signers;
  if (signer !== undefined) throw unknown(signer);
  for (const signature of signatures) {
    const by = `signed by  ${signature.get('VALIDSIG')?.at(-1) ?? [...signature.values()][0]?.[0] ?? ''}`;
    if (signature.has('REVKEYSIG')) throw error('signature-key-revoked', `The key that signed ${what} was revoked by its owner`, 'Do not use this image.', by);
    if (signature.has('EXPKEYSIG')) {
      throw error(
        'signature-key-expired',
        `The key that signed ${what} has expired`,
        'If its owner has prolonged it, the catalog needs the newer key; else use a newer image.',
        by,
      );
    }
    if (signature.has('EXPSIG')) throw error('signature-expired', `The signature of ${what} has expired`, 'Use another mirror, or a newer image.', by);
    // Key, two algorithms, class, time, cause, and the whole fingerprint where the signature names it.
    const [key = '', , , , , cause, whole = ''] = signature.get('ERRSIG') ?? [];
    if (cause === NO_KEY) throw unknown(/^[0-9A-F]{40,64}$/.test(whole) ? whole : key);
    if (cause !== undefined)
      throw error(
        'signature-invalid',
        `The signature of ${what} cannot be checked`,
        'It is made in a way that is not trusted, or not known here.',
        tail(output),
      );
  }
  throw error(
    'signature-missing',
    `There is no whole signature of ${what}`,
    'It was cut off, or the server answers with something else; use another mirror.',
    tail(output),
  );
}

/** GnuPG's word for a key that it does not have. */
const NO_KEY = '9';

/** For each signature, its status words and what follows them (GnuPG, doc/DETAILS). */
function signaturesOf(status: string): ReadonlyMap<string, readonly string[]>[] {
  const signatures: Map<string, readonly string[]>[] = [];
  for (const line of status.split('\n')) {
    const [prefix, word = '', ...rest] = line.split(' ');
    if (prefix !== '[GNUPG:]') continue;
    if (word === 'NEWSIG') signatures.push(new Map());
    else signatures.at(-1)?.set(word, rest);
  }
  return signatures;
}

function tail(output: string): string {
  return output.trim().split('\n').slice(-3).join('\n');
}

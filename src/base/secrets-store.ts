import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import * as z from 'zod';
import { IngotError, systemErrorCode } from './errors.ts';
import { readTextIfThere, replaceFile } from './files.ts';
import { removeLeftovers } from './leftovers.ts';
import { takeLock } from './lock.ts';
import { PASSPHRASE_VARIABLE, type SecretsAccess } from './secrets.ts';

/** What is inside secrets.age, as JSON. */
const contentSchema = z.strictObject({
  v: z.literal(1),
  secrets: z.record(z.string(), z.strictObject({ value: z.string(), set: z.string() })),
});
type Content = z.output<typeof contentSchema>;

/** Read only: what may be more than 1 is not understood. */
const versionSchema = z.looseObject({ v: z.number() });

/** How often a passphrase that does not fit may be typed again. */
const TRIES = 3;
const NEW_CONTENT: Content = { v: 1, secrets: {} };

/** What opens the store, and what new content is encrypted for. */
type Opener = { readonly kind: 'key'; readonly identity: string } | { readonly kind: 'passphrase'; readonly passphrase: string };

interface Seen {
  readonly bytes: Uint8Array;
  readonly content: Content;
}

/** The file of the secrets: read at most once, changed under a lock, replaced as a whole. */
export class SecretStore {
  readonly #access: SecretsAccess;
  #opener: Opener | undefined;
  /** What the file held when it was last opened. */
  #seen: Seen | undefined;
  #reading: Promise<Seen | undefined> | undefined;

  constructor(access: SecretsAccess) {
    this.#access = access;
  }

  /** What is stored; empty where there is no store yet. Throws `secrets-damaged`, `secrets-newer`, `secrets-locked` and what opening throws. */
  async read(): Promise<Content> {
    // Those who ask at the same time share one reading: a passphrase is asked for once.
    this.#reading ??= this.#load();
    try {
      await this.#reading;
    } catch (error) {
      this.#reading = undefined;
      throw error;
    }
    return this.#seen?.content ?? NEW_CONTENT;
  }

  /** Replaces the content by what `edit` makes of it; one process at a time. A passphrase is asked for before the lock is taken. */
  async change(withPassphrase: boolean, edit: (secrets: Content['secrets']) => Content['secrets']): Promise<void> {
    const { host, home } = this.#access;
    const before = await this.#load();
    const passphrase = withPassphrase && this.#mayChoose(before) ? await this.#newPassphrase() : undefined;
    if (before === undefined) this.#opener = passphrase;
    await using _lock = await takeLock(host, home, 'secrets', { what: 'change of secrets' });
    for (const path of [home.secrets, home.secretsKey, home.fingerprintKey]) await removeLeftovers(host.files, path);
    const now = await this.#load();
    if (passphrase !== undefined && this.#mayChoose(now)) this.#opener = passphrase;
    const content: Content = { v: 1, secrets: edit(now?.content.secrets ?? {}) };
    this.#opener ??= { kind: 'key', identity: await this.#makeKey() };
    const bytes = await this.#encrypt(content, this.#opener);
    await replaceFile(host.files, home.secrets, bytes, 0o600);
    this.#seen = { bytes, content };
  }

  /** Whether a passphrase can be chosen now; false where there is one. Throws `secrets-have-key` where a key opens secrets. */
  #mayChoose(seen: Seen | undefined): boolean {
    if (seen === undefined) return true;
    if (this.#opener?.kind === 'passphrase') return false;
    if (Object.keys(seen.content.secrets).length > 0) throw haveKey(this.#access.home.secrets);
    return true;
  }

  /** 32 random bytes of this home, made at first use. Throws `key-file-open` where others may read them, `key-file-damaged`. */
  async fingerprintKey(): Promise<Uint8Array> {
    const { host, home } = this.#access;
    const there = await this.#readPrivate(home.fingerprintKey);
    if (there !== undefined) return fingerprintBytes(there, home.fingerprintKey);
    await using _lock = await takeLock(host, home, 'secrets', { what: 'making of a key' });
    const meanwhile = await this.#readPrivate(home.fingerprintKey);
    if (meanwhile !== undefined) return fingerprintBytes(meanwhile, home.fingerprintKey);
    const key = host.random.bytes(32);
    await replaceFile(host.files, home.fingerprintKey, `${Buffer.from(key).toString('hex')}\n`, 0o600);
    return key;
  }

  /** Reads and decrypts the file, unless it is as it was seen last; undefined where there is none. */
  async #load(): Promise<Seen | undefined> {
    const { host, home } = this.#access;
    let bytes: Uint8Array;
    try {
      bytes = await host.files.read(home.secrets);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      this.#seen = undefined;
      return undefined;
    }
    if (this.#seen === undefined || Buffer.compare(this.#seen.bytes, bytes) !== 0) {
      this.#seen = { bytes, content: parseContent(await this.#decrypt(bytes), home.secrets) };
    }
    return this.#seen;
  }

  async #decrypt(bytes: Uint8Array): Promise<string> {
    const { home } = this.#access;
    // The header of an age file is text: the version, then one line with the kind of each stanza.
    const [version, stanza = ''] = Buffer.from(bytes.subarray(0, 200)).toString('latin1').split('\n');
    if (version !== 'age-encryption.org/v1' || !/^-> (X25519|scrypt) /.test(stanza)) throw damaged(home.secrets);
    if (stanza.startsWith('-> scrypt ')) return this.#decryptWithPassphrase(bytes);
    const identity = await this.#readKey();
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    const text = await opened(decrypter, bytes, home.secrets);
    if (text === undefined) {
      throw new IngotError('verification', 'secrets-locked', `The key ${home.secretsKey} does not open ${home.secrets}`, {
        hint: 'Put back the key that it was made with. Without it, the secrets are lost: remove the file and set them again.',
      });
    }
    this.#opener = { kind: 'key', identity };
    return text;
  }

  async #decryptWithPassphrase(bytes: Uint8Array): Promise<string> {
    const { host, home } = this.#access;
    const known = this.#opener?.kind === 'passphrase' ? this.#opener.passphrase : undefined;
    const given = known ?? nonEmpty(host.env[PASSPHRASE_VARIABLE]);
    for (let attempt = 1; ; attempt++) {
      const question = attempt === 1 ? 'Passphrase of the secrets' : 'That does not open them. Passphrase of the secrets';
      const passphrase = given ?? (await this.#ask(question, false));
      const decrypter = new Decrypter();
      decrypter.addPassphrase(passphrase);
      const text = await opened(decrypter, bytes, home.secrets);
      if (text !== undefined) {
        this.#opener = { kind: 'passphrase', passphrase };
        return text;
      }
      if (given !== undefined || attempt === TRIES) {
        throw new IngotError('verification', 'secrets-locked', `The passphrase does not open ${home.secrets}`, {
          hint: given === undefined ? 'Nothing was changed.' : `It comes from ${PASSPHRASE_VARIABLE}, or the passphrase was changed meanwhile.`,
        });
      }
    }
  }

  async #newPassphrase(): Promise<Opener> {
    const passphrase = nonEmpty(this.#access.host.env[PASSPHRASE_VARIABLE]) ?? (await this.#ask('New passphrase of the secrets', true));
    if (passphrase === '') throw new IngotError('usage', 'passphrase-empty', 'A passphrase cannot be empty', { hint: 'Nothing was changed.' });
    return { kind: 'passphrase', passphrase };
  }

  async #ask(question: string, repeat: boolean): Promise<string> {
    const otherwise = `Where nobody can type it, give it in ${PASSPHRASE_VARIABLE}.`;
    const { askHidden } = this.#access;
    if (askHidden === undefined) throw new IngotError('usage', 'passphrase-needed', 'The secrets are locked by a passphrase', { hint: otherwise });
    return askHidden(question, { repeat, otherwise });
  }

  async #encrypt(content: Content, opener: Opener): Promise<Uint8Array> {
    const encrypter = new Encrypter();
    if (opener.kind === 'key') encrypter.addRecipient(await identityToRecipient(opener.identity));
    else {
      encrypter.setPassphrase(opener.passphrase);
      if (this.#access.passphraseWork !== undefined) encrypter.setScryptWorkFactor(this.#access.passphraseWork);
    }
    return encrypter.encrypt(JSON.stringify(content));
  }

  /** The identity in the key file. Throws `secrets-key-missing`, `key-file-open`, `key-file-damaged`. */
  async #readKey(): Promise<string> {
    const { home } = this.#access;
    const text = await this.#readPrivate(home.secretsKey);
    if (text === undefined) {
      throw new IngotError('host', 'secrets-key-missing', `The key of the secrets is not at ${home.secretsKey}`, {
        hint: `Put it back. Without it, the secrets are lost: remove ${home.secrets} and set them again.`,
      });
    }
    return identityIn(text, home.secretsKey);
  }

  /** The key file's identity, or a new one in the format of age-keygen. A key that is there (its store was removed) is used again. */
  async #makeKey(): Promise<string> {
    const { host, home } = this.#access;
    const there = await this.#readPrivate(home.secretsKey);
    if (there !== undefined) return identityIn(there, home.secretsKey);
    const identity = await generateX25519Identity();
    const text = `# created: ${host.clock.now().toISOString()}\n# public key: ${await identityToRecipient(identity)}\n${identity}\n`;
    await replaceFile(host.files, home.secretsKey, text, 0o600);
    return identity;
  }

  /** A file that only its owner may read; undefined where it is not there. */
  async #readPrivate(path: string): Promise<string | undefined> {
    const { host } = this.#access;
    const status = await host.files.status(path);
    if (status !== undefined && (status.kind !== 'file' || (status.mode & 0o077) !== 0)) {
      const what = status.kind === 'file' ? `others than its owner may use it (mode ${status.mode.toString(8).padStart(4, '0')})` : `it is no file`;
      throw new IngotError('host', 'key-file-open', `${path} is not private: ${what}`, {
        hint: `chmod 600 ${path} closes it. If others could have read it, replace it, and the secrets too.`,
      });
    }
    return readTextIfThere(host.files, path);
  }
}

/** The plain text, or undefined where the key or passphrase is not the one; throws `secrets-damaged`. */
async function opened(decrypter: Decrypter, bytes: Uint8Array, path: string): Promise<string | undefined> {
  try {
    return await decrypter.decrypt(bytes, 'text');
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('no identity matched')) return undefined;
    throw damaged(path, error);
  }
}

function parseContent(text: string, path: string): Content {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    // The cause would quote the text.
    throw damaged(path);
  }
  const version = versionSchema.safeParse(content);
  if (version.success && version.data.v > 1) {
    throw new IngotError('host', 'secrets-newer', `${path} was written by a newer ingot`, { hint: 'Update ingot.' });
  }
  const parsed = contentSchema.safeParse(content);
  if (!parsed.success) throw damaged(path);
  return parsed.data;
}

function identityIn(text: string, path: string): string {
  const identity = text.split('\n').find((line) => /^AGE-SECRET-KEY-1[0-9A-Z]+$/.test(line.trim()));
  if (identity === undefined) throw keyDamaged(path, 'has no line AGE-SECRET-KEY-1…');
  return identity.trim();
}

function fingerprintBytes(text: string, path: string): Uint8Array {
  if (!/^[0-9a-f]{64}\n?$/.test(text)) throw keyDamaged(path, 'does not hold 64 hexadecimal digits');
  return Buffer.from(text.trim(), 'hex');
}

function keyDamaged(path: string, why: string): IngotError {
  return new IngotError('verification', 'key-file-damaged', `${path} ${why}`, { hint: 'Put it back from a copy, or remove it: ingot makes a new one.' });
}

function damaged(path: string, cause?: unknown): IngotError {
  return new IngotError('verification', 'secrets-damaged', `${path} is not what ingot wrote: it cannot be decrypted`, {
    hint: 'Put it back from a copy, or remove it and set the secrets again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function haveKey(path: string): IngotError {
  return new IngotError('conflict', 'secrets-have-key', `${path} is opened by a key file already`, {
    hint: 'A passphrase is chosen with the first secret: remove all secrets first, or leave --passphrase away.',
  });
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

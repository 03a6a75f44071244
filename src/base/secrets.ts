import { IngotError, nearest } from './errors.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import type { SecretStore } from './secrets-store.ts';

export { masker, secretFinder, type Masker, type MaskStream } from './secrets-mask.ts';

/** What the store needs: where it is, and somebody to ask for the passphrase. A `Context` of an operation has it all. */
export interface SecretsAccess {
  readonly host: Host;
  readonly home: Home;
  /** Asks without echo; without it, a passphrase can only come from {@link PASSPHRASE_VARIABLE}. */
  askHidden?(question: string, options?: { readonly repeat?: boolean; readonly otherwise?: string }): Promise<string>;
  /** What scrypt costs whoever guesses a passphrase, as a power of two; age's own 18 (a second or two) unless a test says less. */
  readonly passphraseWork?: number;
}

export interface StoredSecret {
  readonly name: string;
  /** When it was last set, as ISO 8601. */
  readonly set: string;
}

/** The secrets of this home: `secrets.age`, an age file (https://age-encryption.org/v1) for the key in keys/secrets.key or for a passphrase. */
export interface Secrets {
  /** Names in the store, sorted. */
  names(): Promise<string[]>;
  list(): Promise<StoredSecret[]>;
  /** The value: the environment's INGOT_SECRET_<NAME> (for CI) wins over the store. Throws `secret-unknown` with the nearest names. */
  value(name: string): Promise<string>;
  /** HMAC-SHA256 of the value in hexadecimal, under a key that never leaves this home: it stands for the value in a layer's key. */
  fingerprint(name: string): Promise<string>;
  /**
   * Adds or replaces one. `passphrase` opens a new store with a passphrase instead of a key file.
   * Throws `secret-name-invalid`, `secret-name-taken`, `secret-value-invalid`, `secrets-have-key`.
   */
  set(name: string, value: string, options?: { readonly passphrase?: boolean }): Promise<'added' | 'replaced'>;
  /** Adds one that ingot itself makes; one that is there already, by another process perhaps, stays. */
  setIfMissing(name: string, value: string): Promise<void>;
  /** Throws `secret-unknown`. */
  remove(name: string): Promise<void>;
}

export const PASSPHRASE_VARIABLE = 'INGOT_SECRETS_PASSPHRASE';
/** One argument or variable of a program may have 128 KiB on Linux; twice the room for what is made of a value. */
export const LARGEST_SECRET = 64 * 1024;

const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Checks a name: letters, digits, dash and underscore, a letter first, 64 at most. Throws `secret-name-invalid`. */
export function parseSecretName(text: string): string {
  if (NAME.test(text)) return text;
  throw new IngotError('usage', 'secret-name-invalid', `"${text}" cannot be the name of a secret`, {
    hint: 'Names have letters, digits, dashes and underscores, start with a letter, and are at most 64 characters long.',
  });
}

/** The environment variable that wins over the store: `INGOT_SECRET_API_TOKEN` for `api-token`. */
export function secretVariable(name: string): string {
  return `INGOT_SECRET_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** Checks a value: some text, no NUL, {@link LARGEST_SECRET} at most. Throws `secret-value-invalid`, never with the value. */
export function checkSecretValue(value: string): void {
  const why =
    value.trim() === ''
      ? 'is empty'
      : value.includes('\0')
        ? 'is no text: it has a NUL character'
        : Buffer.byteLength(value) > LARGEST_SECRET
          ? `is larger than ${LARGEST_SECRET / 1024} KiB`
          : undefined;
  if (why !== undefined) throw new IngotError('usage', 'secret-value-invalid', `The value ${why}`, { hint: 'Nothing was changed.' });
}

/**
 * Opens the secrets. Lazy: nothing is read, asked or made before one of its functions is called, and what was read and the
 * passphrase are kept in memory only, for as long as this object.
 */
export function openSecrets(access: SecretsAccess): Secrets {
  let opened: Promise<SecretStore> | undefined;
  // What reads and encrypts is loaded where a secret is used: most commands use none.
  const store = (): Promise<SecretStore> => (opened ??= import('./secrets-store.ts').then((module) => new module.SecretStore(access)));
  const value = async (name: string): Promise<string> => {
    const fromEnvironment = access.host.env[secretVariable(parseSecretName(name))];
    if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
    const { secrets } = await (await store()).read();
    const stored = storedAs(name, secrets);
    if (stored === undefined) throw secretUnknown(name, Object.keys(secrets));
    return stored.value;
  };
  const list = async (): Promise<StoredSecret[]> => {
    const { secrets } = await (await store()).read();
    return Object.entries(secrets)
      .map(([name, { set }]) => ({ name, set }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  };
  return {
    list,
    names: async () => (await list()).map(({ name }) => name),
    value,
    async fingerprint(name) {
      const { createHmac } = await import('node:crypto');
      const text = await value(name);
      return createHmac('sha256', await (await store()).fingerprintKey())
        .update(text, 'utf8')
        .digest('hex');
    },
    async set(name, text, options = {}) {
      parseSecretName(name);
      checkSecretValue(text);
      let result: 'added' | 'replaced' = 'added';
      await (
        await store()
      ).change(options.passphrase === true, (secrets) => {
        const twin = Object.keys(secrets).find((other) => other !== name && secretVariable(other) === secretVariable(name));
        if (twin !== undefined) {
          throw new IngotError('conflict', 'secret-name-taken', `"${name}" and "${twin}" would have the same environment variable, ${secretVariable(name)}`, {
            hint: `Choose another name, or remove "${twin}" first.`,
          });
        }
        result = storedAs(name, secrets) === undefined ? 'added' : 'replaced';
        return { ...secrets, [name]: { value: text, set: access.host.clock.now().toISOString() } };
      });
      return result;
    },
    async setIfMissing(name, text) {
      parseSecretName(name);
      checkSecretValue(text);
      const set = access.host.clock.now().toISOString();
      await (await store()).change(false, (secrets) => (storedAs(name, secrets) === undefined ? { ...secrets, [name]: { value: text, set } } : secrets));
    },
    async remove(name) {
      parseSecretName(name);
      await (
        await store()
      ).change(false, (secrets) => {
        if (storedAs(name, secrets) === undefined) throw secretUnknown(name, Object.keys(secrets));
        const { [name]: _removed, ...others } = secrets;
        return others;
      });
    },
  };
}

/** Only what the record itself has: `constructor` is a good name. */
function storedAs<T>(name: string, secrets: Readonly<Record<string, T>>): T | undefined {
  return Object.hasOwn(secrets, name) ? secrets[name] : undefined;
}

function secretUnknown(name: string, names: readonly string[]): IngotError {
  const guesses = nearest(name, names);
  return new IngotError('not-found', 'secret-unknown', `There is no secret "${name}"`, {
    hint: `${guesses.length > 0 ? `Did you mean ${guesses.join(' or ')}? ` : ''}\`ingot secret set ${name}\` stores it, or the environment gives it as ${secretVariable(name)}.`,
  });
}

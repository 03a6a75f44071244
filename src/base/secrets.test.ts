import fc from 'fast-check';
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { atEveryEffect } from '../../tests/support/faulty-host.ts';
import { copyHome, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import { IngotError } from './errors.ts';
import { homeAt } from './home.ts';
import { openSecrets, secretVariable, type Secrets } from './secrets.ts';

/** The secrets of a home as another process would open them. */
function open(at: Pick<SampleHome, 'host' | 'home'>, env: Record<string, string> = {}, answers?: string[]): Secrets {
  const askHidden = (question: string) => {
    const answer = answers?.shift();
    return answer === undefined ? Promise.reject(new Error(`nobody answers: ${question}`)) : Promise.resolve(answer);
  };
  return openSecrets({ host: { ...at.host, env }, home: at.home, passphraseWork: 10, ...(answers === undefined ? {} : { askHidden }) });
}

async function failure(work: Promise<unknown>): Promise<IngotError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof IngotError) return error;
  throw new Error('it did not fail as expected', { cause: error });
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('the store', () => {
  test('touches nothing until a secret is used', async () => {
    await using at = await sampleHome();
    const secrets = open(at);
    expect(await at.host.files.list(at.home.keys)).toEqual([]);
    expect(await secrets.names()).toEqual([]);
    expect(await at.host.files.list(at.home.keys)).toEqual([]);
    expect(await at.host.files.status(at.home.secrets)).toBeUndefined();
  });

  test('keeps what is set, private and encrypted', async () => {
    await using at = await sampleHome();
    expect(await open(at).set('api-token', 'hunter22')).toBe('added');
    expect(await open(at).set('constructor', 'a\nb\n')).toBe('added');
    expect(await open(at).set('api-token', 'hunter23')).toBe('replaced');
    expect(await open(at).value('api-token')).toBe('hunter23');
    expect(await open(at).value('constructor')).toBe('a\nb\n');
    expect(await open(at).names()).toEqual(['api-token', 'constructor']);
    expect([await modeOf(at.home.secrets), await modeOf(at.home.secretsKey)]).toEqual([0o600, 0o600]);
    const bytes = await readFile(at.home.secrets, 'latin1');
    for (const word of ['hunter', 'api-token', 'constructor']) expect(bytes).not.toContain(word);
    await open(at).remove('constructor');
    expect(await failure(open(at).remove('constructor'))).toMatchObject({ code: 'secret-unknown', class: 'not-found' });
    expect(await open(at).names()).toEqual(['api-token']);
  });

  test('gives back any text as it was', async () => {
    await using at = await sampleHome();
    const secrets = open(at);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (value) => {
        fc.pre(value.trim() !== '' && !value.includes('\0'));
        await secrets.set('x', value);
        expect(await open(at).value('x')).toBe(value);
      }),
      { numRuns: 25 },
    );
  });

  test('names the nearest of an unknown name, and no value', async () => {
    await using at = await sampleHome();
    await open(at).set('api-token', 'hunter22');
    const error = await failure(open(at).value('api-tokn'));
    expect(error).toMatchObject({ code: 'secret-unknown', hint: expect.stringContaining('Did you mean api-token?') });
    expect(`${error.message}${error.hint}`).not.toContain('hunter22');
  });

  test('the environment wins, and needs no store', async () => {
    await using at = await sampleHome();
    const env = { [secretVariable('api-token')]: 'from CI', INGOT_SECRET_EMPTY: '' };
    expect(await open(at, env).value('api-token')).toBe('from CI');
    expect(await at.host.files.status(at.home.secretsKey)).toBeUndefined();
    await open(at).set('empty', 'stored');
    expect(await open(at, env).value('empty')).toBe('stored');
  });

  test.each(['', '1a', '-a', 'a b', 'a/b', '../a', 'ä', 'a'.repeat(65), '__proto__'])('refuses the name %j', async (name) => {
    await using at = await sampleHome();
    expect((await failure(open(at).set(name, 'value'))).code).toBe('secret-name-invalid');
    expect((await failure(open(at).value(name))).code).toBe('secret-name-invalid');
  });

  test('refuses two names with one variable, and values that are none', async () => {
    await using at = await sampleHome();
    await open(at).set('api-token', 'hunter22');
    expect((await failure(open(at).set('API_TOKEN', 'x'))).code).toBe('secret-name-taken');
    for (const value of ['', ' \n', 'a\0b', 'x'.repeat(70_000)]) expect((await failure(open(at).set('y', value))).code).toBe('secret-value-invalid');
    expect(await open(at).names()).toEqual(['api-token']);
  });

  test('many writers lose nothing', async () => {
    await using at = await sampleHome();
    const names = Array.from({ length: 8 }, (_, index) => `s${index}`);
    await Promise.all(names.map((name) => open(at).set(name, `value of ${name}`)));
    expect(await open(at).names()).toEqual(names);
  });

  test.each(['kill', 'torn', 'full'] as const)('a set that ends by "%s" at any effect leaves the old or the new', { timeout: 60_000 }, async (fault) => {
    await using empty = await sampleHome();
    await using used = await copyHome(empty);
    await open(used).set('old', 'kept');
    for (const from of [empty, used]) {
      const before = await open(from).names();
      const faults = await atEveryEffect(from.host, fault, {
        prepare: () => copyHome(from),
        scenario: (host, at) => openSecrets({ host, home: at.home }).set('new', 'arrived'),
        async check(at, { effect, error }) {
          await using _at = at;
          const names = await open(at).names();
          expect([before.toSorted(), [...before, 'new'].toSorted()], effect).toContainEqual(names);
          if (error === undefined) expect(names).toContain('new');
          for (const name of before) expect(await open(at).value(name)).toBe('kept');
          expect(await open(at).set('after', 'works')).toBe('added');
          const left = [...(await at.host.files.list(at.home.root)), ...(await at.host.files.list(at.home.keys))];
          expect(
            left.filter((name) => name.includes('.tmp-')),
            effect,
          ).toEqual([]);
        },
      });
      expect(faults).toBeGreaterThan(2);
    }
  });
});

describe('a passphrase', { timeout: 60_000 }, () => {
  test('opens the store, asked for once, or from the environment', async () => {
    await using at = await sampleHome();
    await open(at, {}, ['correct horse']).set('a', 'hunter22', { passphrase: true });
    expect(await at.host.files.status(at.home.secretsKey)).toBeUndefined();
    const answers = ['wrong', 'correct horse'];
    const secrets = open(at, {}, answers);
    expect(await Promise.all([secrets.value('a'), secrets.names()])).toEqual(['hunter22', ['a']]);
    expect(answers).toEqual([]);
    const env = { INGOT_SECRETS_PASSPHRASE: 'correct horse' };
    await open(at, env).set('b', 'x');
    expect(await open(at, env).names()).toEqual(['a', 'b']);
    expect(await failure(open(at, { INGOT_SECRETS_PASSPHRASE: 'no' }).names())).toMatchObject({ code: 'secrets-locked', class: 'verification' });
    expect((await failure(open(at).names())).code).toBe('passphrase-needed');
  });

  test('is chosen with the first secret only', async () => {
    await using at = await sampleHome();
    expect((await failure(open(at, {}, ['']).set('a', 'x', { passphrase: true }))).code).toBe('passphrase-empty');
    await open(at).set('a', 'x');
    expect((await failure(open(at, {}, ['p']).set('b', 'x', { passphrase: true }))).code).toBe('secrets-have-key');
    await open(at).remove('a');
    await open(at, {}, ['p']).set('b', 'x', { passphrase: true });
    expect(await readFile(at.home.secrets, 'latin1')).toMatch(/^age-encryption.org\/v1\n-> scrypt /);
    // The last secret goes, its passphrase stays: nothing becomes less protected without a word.
    await open(at, {}, ['p']).remove('b');
    expect((await failure(open(at).set('c', 'x'))).code).toBe('passphrase-needed');
  });
});

describe('what is wrong is named', () => {
  test('a key that others can read', async () => {
    await using at = await sampleHome();
    await open(at).set('a', 'x');
    for (const mode of [0o640, 0o604, 0o660]) {
      await chmod(at.home.secretsKey, mode);
      expect(await failure(open(at).value('a'))).toMatchObject({ code: 'key-file-open', hint: expect.stringContaining(`chmod 600 ${at.home.secretsKey}`) });
      expect((await failure(open(at).set('b', 'x'))).code).toBe('key-file-open');
    }
    await chmod(at.home.secretsKey, 0o400);
    expect(await open(at).value('a')).toBe('x');
  });

  test('a key that is missing, damaged or another', async () => {
    await using at = await sampleHome();
    await open(at).set('a', 'x');
    await writeFile(at.home.secretsKey, 'nothing\n');
    expect((await failure(open(at).names())).code).toBe('key-file-damaged');
    await rm(at.home.secretsKey);
    expect((await failure(open(at).names())).code).toBe('secrets-key-missing');
    // A new key must not lock away what the old one opens.
    expect((await failure(open(at).set('b', 'x'))).code).toBe('secrets-key-missing');
    await using other = await sampleHome();
    await open(other).set('a', 'x');
    await writeFile(at.home.secretsKey, await readFile(other.home.secretsKey), { mode: 0o600 });
    expect((await failure(open(at).names())).code).toBe('secrets-locked');
  });

  test('any damage to the file', async () => {
    await using at = await sampleHome();
    await open(at).set('a', 'hunter22');
    const good = await readFile(at.home.secrets);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (place, change, cut) => {
        const bad = Buffer.from(cut ? good.subarray(0, place) : good);
        if (!cut) bad[place] = (bad[place] ?? 0) ^ change;
        await writeFile(at.home.secrets, bad);
        expect(['secrets-damaged', 'secrets-locked']).toContain((await failure(open(at).names())).code);
        expect(['secrets-damaged', 'secrets-locked']).toContain((await failure(open(at).set('b', 'x'))).code);
        expect(await readFile(at.home.secrets)).toEqual(bad);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a fingerprint', () => {
  test('stands for the value in this home only', async () => {
    await using at = await sampleHome();
    await using other = await sampleHome();
    for (const home of [at, other]) {
      await open(home).set('a', 'hunter22');
      await open(home).set('b', 'hunter22');
      await open(home).set('c', 'hunter23');
    }
    const [a, b, c, again] = await Promise.all([open(at).fingerprint('a'), open(at).fingerprint('b'), open(at).fingerprint('c'), open(at).fingerprint('a')]);
    expect(a).toMatch(/^[0-9a-f]{64}$/);
    expect([b, again]).toEqual([a, a]);
    expect(c).not.toBe(a);
    expect(await open(other).fingerprint('a')).not.toBe(a);
    expect(await open(at, { INGOT_SECRET_C: 'hunter22' }).fingerprint('c')).toBe(a);
    expect(await modeOf(at.home.fingerprintKey)).toBe(0o600);
    expect(await modeOf(homeAt(at.home.root).keys)).toBe(0o700);
  });

  test('needs a private and whole key', async () => {
    await using at = await sampleHome();
    await open(at).set('a', 'x');
    await open(at).fingerprint('a');
    await chmod(at.home.fingerprintKey, 0o644);
    expect((await failure(open(at).fingerprint('a'))).code).toBe('key-file-open');
    await chmod(at.home.fingerprintKey, 0o600);
    await writeFile(at.home.fingerprintKey, 'abc');
    expect((await failure(open(at).fingerprint('a'))).code).toBe('key-file-damaged');
    expect(join(at.home.keys, 'fingerprint.key')).toBe(at.home.fingerprintKey);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { hostPath } from '../base/types.ts';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { BUILT_IN_PROFILES, profileSchema } from './profile.ts';
import { changedProfiles, changeProfile, findProfile, listProfiles, readProfiles, removeProfile } from './profiles.ts';

const FILE = hostPath('/home/profiles.yaml');

describe('profiles', () => {
  test('the built-in ones are there, and say nothing that a profile may not', async () => {
    await using at = await sampleHome();
    expect((await listProfiles(at)).map(({ name, origin }) => [name, origin])).toEqual(Object.keys(BUILT_IN_PROFILES).map((name) => [name, 'built-in']));
    for (const profile of Object.values(BUILT_IN_PROFILES)) expect(profileSchema.parse(profile)).toEqual(profile);
  });

  test('one of the user is made, changed and removed, and comments stay', async () => {
    await using at = await sampleHome();
    await at.host.files.write(at.home.profiles, '# mine\nweb:\n  cpus: 2 # enough\n');
    await changeProfile(at, 'web', { memory: '2GiB' });
    await changeProfile(at, 'db', { disk: '50GiB', roles: ['redis'] });
    expect(await findProfile(at, 'web')).toEqual({ name: 'web', origin: 'own', profile: { cpus: 2, memory: '2GiB' } });
    await changeProfile(at, 'web', { cpus: undefined });
    expect((await findProfile(at, 'web')).profile).toEqual({ memory: '2GiB' });
    expect(Buffer.from(await at.host.files.read(at.home.profiles)).toString()).toContain('# mine');
    await removeProfile(at, 'web');
    await expect(findProfile(at, 'web')).rejects.toMatchObject({ code: 'profile-unknown' });
    expect((await findProfile(at, 'db')).profile).toEqual({ disk: '50GiB', roles: ['redis'] });
  });

  test('a built-in one is changed for the user, and holds again when that is removed', async () => {
    await using at = await sampleHome();
    await changeProfile(at, 'small', { memory: '1GiB' });
    expect(await findProfile(at, 'small')).toMatchObject({ origin: 'changed', profile: { ...BUILT_IN_PROFILES['small'], memory: '1GiB' } });
    expect(await removeProfile(at, 'small')).toEqual({ builtIn: true });
    expect(await findProfile(at, 'small')).toMatchObject({ origin: 'built-in' });
    await expect(removeProfile(at, 'small')).rejects.toMatchObject({ code: 'profile-built-in' });
  });

  test('an unknown one brings the nearest names, and a name that is none is refused', async () => {
    await using at = await sampleHome();
    await expect(findProfile(at, 'smal')).rejects.toMatchObject({ code: 'profile-unknown', hint: 'Did you mean small?' });
    await expect(changeProfile(at, '../x', { cpus: 1 })).rejects.toMatchObject({ code: 'name-invalid' });
  });

  test('a wrong value changes nothing', async () => {
    await using at = await sampleHome();
    await changeProfile(at, 'web', { cpus: 1 });
    await expect(changeProfile(at, 'web', { memory: 'much' })).rejects.toMatchObject({ code: 'profiles-invalid' });
    expect((await findProfile(at, 'web')).profile).toEqual({ cpus: 1 });
  });

  test('two changes at once are both there', async () => {
    await using at = await sampleHome();
    await Promise.all([changeProfile(at, 'web', { cpus: 1 }), changeProfile(at, 'web', { memory: '1GiB' }), changeProfile(at, 'db', { cpus: 2 })]);
    expect((await listProfiles(at)).slice(3).map(({ profile }) => profile)).toEqual([{ cpus: 2 }, { cpus: 1, memory: '1GiB' }]);
  });
});

describe('the file', () => {
  test.each(['', '# nothing yet\n', 'null\n', '{}\n'])('%j has no profile', (text) => expect(readProfiles(text, FILE)).toEqual({}));

  test('is told with every mistake at its place', () => {
    const text = 'web:\n  cpu: 2\n  memory: 32MiB\nDB: {}\n';
    expect(() => readProfiles(text, FILE)).toThrow(
      expect.objectContaining({
        code: 'profiles-invalid',
        problems: expect.arrayContaining([
          expect.objectContaining({ position: { file: FILE, line: 2, column: 3 } }),
          expect.objectContaining({ path: 'web.memory', message: 'is below 64 MiB', position: { file: FILE, line: 3, column: 11 } }),
        ]),
      }),
    );
    expect(() => readProfiles('- web\n', FILE)).toThrow(/profiles/);
    expect(() => readProfiles('web: [\n', FILE)).toThrow(/problem/);
  });

  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/);
  const profile = fc.record(
    { cpus: fc.integer({ min: 1, max: 255 }), memory: fc.constantFrom('1GiB', '512MiB'), roles: fc.array(name, { minLength: 1, maxLength: 3 }), image: name },
    { requiredKeys: [] },
  );

  test('says after any changes what the changes say', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.option(profile, { nil: undefined })), { maxLength: 5 }),
        fc.constantFrom<string>('', '# a comment', '# a comment\n\n'),
        (changes, start) => {
          const expected = new Map<string, unknown>();
          let text = start;
          for (const [key, value] of changes) {
            text = changedProfiles(text, key, value);
            if (value === undefined) expected.delete(key);
            else expected.set(key, value);
          }
          expect(readProfiles(text, FILE)).toEqual(Object.fromEntries(expected));
          expect(parse(text) ?? {}).toEqual(Object.fromEntries(expected));
          expect(text.startsWith(start.trimEnd()) || expected.size === 0).toBe(true);
        },
      ),
    );
  });
});

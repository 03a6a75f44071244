import { expect, test } from 'vitest';
import { failureOf, problemsOf, templateFolder } from '../../tests/support/templates.ts';
import { resolveTemplate } from './resolve.ts';

const KEY = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n-----END PGP PUBLIC KEY BLOCK-----\n';

async function resolved(template: object, flags: readonly string[] = []): Promise<readonly string[]> {
  await using at = await templateFolder({ 'a.yaml': JSON.stringify({ from: 'debian-12', ...template }) });
  return (await resolveTemplate(at.context, await at.load({}, 'a.yaml'), { roles: [], packages: flags })).packages;
}

async function problems(template: object): Promise<string[]> {
  await using at = await templateFolder({ 'a.yaml': JSON.stringify({ from: 'debian-12', ...template }) });
  return await problemsOf(at.load({}, 'a.yaml').then((loaded) => resolveTemplate(at.context, loaded, { roles: [], packages: [] })));
}

test("a template's packages, and those of flags, become the family's; each is there once, and own names stay", async () => {
  expect(await resolved({ packages: ['apache', 'xz', 'apache2', 'libpam-tmpdir', 'nginx=1.2-3'] }, ['xz-utils', 'fd'])).toEqual([
    'apache2',
    'xz-utils',
    'libpam-tmpdir',
    'nginx=1.2-3',
    'fd-find',
  ]);
});

test('the release decides', async () => {
  expect(await resolved({ packages: ['virt-install'] })).toEqual(['virtinst']);
  expect(await resolved({ from: 'debian-13', packages: ['virt-install'] })).toEqual(['virt-install']);
});

test('what the release lacks is told at its place, with what is nearest; all at once', async () => {
  expect(await problems({ packages: ['curl', 'valkey', 'eza'] })).toEqual([
    'a.yaml:1:40 packages[1]: debian-12 has no package for valkey | Nearest there: redis.',
    'a.yaml:1:49 packages[2]: debian-12 has no package for eza | Nearest there: tree.',
  ]);
});

test('a flag fails by itself', async () => {
  await using at = await templateFolder({});
  const failure = await failureOf(resolveTemplate(at.context, undefined, { from: 'debian-12', roles: [], packages: ['valkey'] }));
  expect(failure).toMatchObject({ code: 'package-unsupported', hint: 'Nearest there: redis.', exitCode: 2 });
});

test("repositories of the template's own may have what the release lacks, and stand for the catalog's of the same name", async () => {
  const repository = (name: string): object => ({ name, uri: 'https://packages.example.org', suites: ['stable'], key: KEY });
  expect(await resolved({ packages: ['k9s'], system: { repositories: [repository('mine')] } })).toEqual(['k9s']);
  expect(await resolved({ packages: ['terraform'], system: { repositories: [repository('hashicorp')] } })).toEqual(['terraform']);
});

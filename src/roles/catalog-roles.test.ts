import { describe, expect, test } from 'vitest';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { loadPackages, nativePackage } from '../catalog/packages.ts';
import { findRepository, repositoryWay, type RepositoryRelease } from '../catalog/repositories.ts';
import { roleContent } from './content.ts';
import { catalogRole } from './find.ts';
import { parameterValues } from './parameters.ts';
import { chooseParts } from './parts.ts';

/*
 * Every role of the catalog, in every release that it is for, by the names of packages and repositories there. Families of which the catalog has no release
 * yet are stood for by one.
 */

const catalog = await loadCatalog();
const packages = await loadPackages();
const STANDING_IN: readonly RepositoryRelease[] = [
  { id: 'rocky-9', name: 'Rocky Linux', distribution: 'rocky', version: '9', codename: 'blue-onyx', family: 'rhel' },
  { id: 'opensuse-leap-16.0', name: 'openSUSE Leap', distribution: 'opensuse-leap', version: '16.0', codename: 'leap', family: 'suse' },
  { id: 'arch', name: 'Arch Linux', distribution: 'arch', version: 'rolling', codename: 'arch', family: 'arch' },
  { id: 'alpine-3.22', name: 'Alpine', distribution: 'alpine', version: '3.22', codename: 'alpine', family: 'alpine' },
];
const known: readonly RepositoryRelease[] = releases(catalog);
const all = [...known, ...STANDING_IN.filter(({ family }) => !known.some((release) => release.family === family))];

describe.each(Object.keys(catalog.roles))('the role %s', (name) => {
  const role = catalogRole(catalog, name);
  if (role === undefined) throw new Error(`there is no role ${name}`);
  const { head } = role;
  const given = Object.fromEntries(Object.entries(head.parameters).flatMap(([key, one]) => (one.default === undefined ? [[key, one.values?.[0] ?? 'x']] : [])));
  const { values, faults } = parameterValues(head, given);

  test('is right in all its parts', () => {
    expect(faults).toEqual([]);
    expect(() => chooseParts(role, undefined, values)).not.toThrow();
    for (const other of head.requires.flat()) expect(Object.keys(catalog.roles)).toContain(other);
    for (const id of Object.keys(head.except)) expect(all.map((release) => release.id)).toContain(id);
  });

  const supported = all.filter(({ id, family }) => head.families.includes(family) && head.except[id] === undefined);

  test.each(supported.map((release) => [release.id, release] as const))('names what %s has', async (_, release) => {
    const asked: string[] = [];
    const { id, family, distribution } = release;
    const content = await roleContent(role, { family, release: id, distribution, arch: 'amd64' }, values, {
      native: (text) => nativePackage(packages, text, release, 'amd64'),
      repository(wanted) {
        if (typeof wanted === 'string') repositoryWay(findRepository(catalog, wanted), release, 'amd64');
        asked.push(typeof wanted === 'string' ? wanted : wanted.name);
        return Promise.resolve(undefined);
      },
      secret: (secret) => Promise.resolve({ secret, fingerprint: '' }),
    });
    expect(content.packages.length + content.files.length + content.run.length, `${name} does nothing in ${id}`).toBeGreaterThan(0);
  });
});

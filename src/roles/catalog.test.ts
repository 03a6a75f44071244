import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shippedCatalog, releases } from '../catalog/catalog.ts';
import { loadPackages, nativePackage } from '../catalog/packages.ts';
import { findRepository, hasRepository, type RepositoryRelease } from '../catalog/repositories.ts';
import { testedRows } from '../catalog/tested.ts';
import { roleContent } from './content.ts';
import { catalogRole } from './find.ts';
import { chooseParts } from './parts.ts';
import type { Role } from './role.ts';
import type { VariableValue } from '../template/variables-schema.ts';

const catalog = await shippedCatalog();
const packages = await loadPackages();
const roles = Object.keys(catalog.roles);
const folder = join(import.meta.dirname, '..', '..', 'catalog', 'roles');

/** Of the other families one release for all: what others lack is told by `role validate`. */
const OTHER_FAMILIES = ['rocky-9', 'opensuse-leap-16.0', 'arch', 'alpine-3.22'] as const;
const everywhere: readonly RepositoryRelease[] = releases(catalog).filter(
  ({ id, bootstrap }) => bootstrap !== undefined || OTHER_FAMILIES.some((other) => other === id),
);
/** Where a role has to be told something before it fits, and says so itself. */
const TO_BE_TOLD: Readonly<Record<string, string>> = {
  'redis arch': 'Arch has Valkey alone: server: valkey',
  'terraform opensuse-leap-16.0': 'SUSE has OpenTofu alone: flavour: opentofu',
  'terraform alpine-3.22': 'Alpine has OpenTofu alone: flavour: opentofu',
  'lxd rocky-9': 'Of this family, Fedora alone has Incus',
};

function roleOf(name: string): Role {
  const role = catalogRole(catalog, name);
  if (role === undefined) throw new Error(`there is no ${name}`);
  return role;
}

/** What parameters without a default are taken for, to look at the rest; patterns of the catalog's own parameters accept one of these. */
const SAMPLES: readonly VariableValue[] = ['0'.repeat(64), 'sample', '1.0', 1];

function sampleValues({ head }: Role): Map<string, VariableValue> {
  return new Map(
    Object.entries(head.parameters).map(([name, { default: value, pattern, values }]) => {
      const sample = SAMPLES.find((each) => pattern === undefined || new RegExp(`^(?:${pattern})$`, 'u').test(String(each)));
      return [name, value ?? values?.[0] ?? sample ?? ''];
    }),
  );
}

test.each(roles)('%s is right in all its parts, and has a README', async (name) => {
  const role = roleOf(name);
  expect(() => chooseParts(role, undefined, sampleValues(role))).not.toThrow();
  expect(await readFile(join(folder, name, 'README.md'), 'utf8')).toContain(`# ${name}`);
});

test.each(roles)('%s names packages and repositories that its releases have, and knows its neighbours', async (name) => {
  const role = roleOf(name);
  const other = [...role.head.conflicts, ...role.head.requires.flat()];
  expect(other.filter((each) => !roles.includes(each) && role.head.requires.flat().includes(each))).toEqual([]);
  for (const release of everywhere.filter(({ id, family }) => role.head.families.includes(family) && role.head.except[id] === undefined)) {
    if (TO_BE_TOLD[`${name} ${release.id}`] !== undefined) continue;
    const facts = { family: release.family, release: release.id, distribution: release.distribution, arch: 'amd64' };
    const content = await roleContent(role, facts, sampleValues(role), {
      native: (text) => nativePackage(packages, text, release, 'amd64'),
      repository(repository) {
        if (typeof repository === 'string') expect(hasRepository(findRepository(catalog, repository), release), `${repository} on ${release.id}`).toBe(true);
        return Promise.resolve(undefined);
      },
      secret: (secret) => Promise.resolve({ secret, fingerprint: '' }),
    });
    expect(content.tests.length, `${name} has no tests on ${release.id}`).toBeGreaterThan(0);
  }
});

test('what was tested is readable', () => {
  for (const files of Object.values(catalog.roles)) expect(() => testedRows(files)).not.toThrow();
});

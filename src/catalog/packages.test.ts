import { expect, test } from 'vitest';
import { readCatalogFolder, readPackageFolder } from './folder.ts';
import { FAMILIES } from './families.ts';
import { matches, nativeOf, nativePackage, packageCatalog, packageCategorySchema, type NativePackage } from './packages.ts';

const categories = await readPackageFolder();
const packages = packageCatalog(categories);
const { repositories } = await readCatalogFolder();

function native(name: string, id: string, arch = 'amd64'): NativePackage {
  const distribution = id.replace(/-[^-]*$/, '');
  const family =
    { debian: 'debian', ubuntu: 'debian', rocky: 'rhel', fedora: 'rhel', leap: 'suse', arch: 'arch', alpine: 'alpine' }[distribution] ?? distribution;
  return nativePackage(packages, name, { id, distribution, family }, arch);
}

test('there are at least 200 packages in 16 categories, each in a file of its name', () => {
  expect(categories).toHaveLength(16);
  expect(packages.size).toBeGreaterThanOrEqual(200);
  for (const family of FAMILIES) expect([...packages.values()].filter((item) => item[family].name !== null).length).toBeGreaterThan(200);
});

test('what an entry names exists: repositories and packages', () => {
  const known = new Set(repositories.map(({ repository }) => repository));
  for (const item of packages.values()) {
    for (const other of item.instead) expect(packages.has(other), `${item.name} instead ${other}`).toBe(true);
    expect(item.instead).not.toContain(item.name);
    const named = FAMILIES.flatMap((family) => [item[family].repository, ...Object.values(item[family].releases ?? {}).map((one) => one.repository)]);
    for (const name of [...named, item.upstream]) if (name !== undefined) expect(known, `${item.name} names ${name}`).toContain(name);
    expect(item.debian.seen, `${item.name}: Debian names are tested, not cited`).toBeUndefined();
  }
});

test('a repository that a family needs is there for the family', () => {
  for (const item of packages.values()) {
    for (const family of FAMILIES) {
      const { repository } = item[family];
      if (repository !== undefined) expect(Object.keys(repositories.find((one) => one.repository === repository)?.families ?? {})).toContain(family);
    }
  }
});

test('a name becomes what the family calls it, and keeps its version', () => {
  expect(native('vim', 'debian-12')).toEqual({ name: 'vim' });
  expect(native('vim', 'rocky-9')).toEqual({ name: 'vim-enhanced' });
  expect(native('xz', 'debian-12')).toEqual({ name: 'xz-utils' });
  expect(native('apache=2.4.66-1', 'debian-13')).toEqual({ name: 'apache2=2.4.66-1' });
});

test('a name that the catalog does not know is the own name of the family', () => {
  expect(native('libpam-tmpdir', 'debian-12')).toEqual({ name: 'libpam-tmpdir' });
  expect(native('libpam-tmpdir=0.10', 'debian-12')).toEqual({ name: 'libpam-tmpdir=0.10' });
});

test('what differs between releases, distributions and architectures is told apart', () => {
  expect(native('7zip', 'debian-11')).toEqual({ name: 'p7zip-full' });
  expect(native('7zip', 'debian-12')).toEqual({ name: '7zip' });
  expect(native('7zip', 'rocky-10')).toEqual({ name: '7zip', repository: 'epel' });
  expect(native('incus', 'debian-12')).toEqual({ name: 'incus', repository: 'zabbly' });
  expect(native('incus', 'debian-13')).toEqual({ name: 'incus' });
  expect(native('prometheus', 'fedora-42')).toEqual({ name: 'prometheus' });
  expect(native('kernel-headers', 'debian-12', 'arm64')).toEqual({ name: 'linux-headers-arm64' });
  expect(native('kernel-headers', 'ubuntu-24.04', 'arm64')).toEqual({ name: 'linux-headers-generic' });
  expect(native('docker-ce', 'rocky-9')).toEqual({ name: 'docker-ce', repository: 'docker' });
  expect(native('zfs', 'debian-13')).toEqual({ name: 'zfsutils-linux', repository: 'contrib' });
});

test('what a release lacks is answered with what it has instead', () => {
  const lacks = (name: string, id: string, hint: unknown): void =>
    expect(() => native(name, id)).toThrow(
      expect.objectContaining({ code: 'package-unsupported', class: 'usage', message: `${id} has no package for ${name}`, hint }),
    );
  lacks('apparmor', 'rocky-9', 'Nearest there: policycoreutils-python-utils. SELinux instead.');
  lacks('docker', 'rocky-9', expect.stringContaining('Nearest there: docker-ce, podman.'));
  lacks('valkey', 'debian-12', 'Nearest there: redis.');
  lacks('prometheus', 'rocky-9', expect.stringMatching(/./));
  lacks('netdata', 'debian-13', 'Nearest there: glances, collectd.');
  // None is named: the description decides.
  lacks('realmd', 'alpine-3.22', expect.stringMatching(/^Nearest there: /));
});

test('every alternative that is offered is really there', () => {
  for (const item of packages.values()) {
    for (const id of ['debian-11', 'debian-12', 'rocky-9', 'leap-16.0', 'arch', 'alpine-3.22']) {
      let hint: string | undefined;
      try {
        native(item.name, id);
      } catch (error) {
        hint = error instanceof Error && 'hint' in error ? String(error.hint) : '';
      }
      if (hint === undefined) continue;
      expect(hint).not.toBe('');
      for (const name of /^Nearest there: ([^.]+)\./.exec(hint)?.[1]?.split(', ') ?? []) expect(() => native(name, id)).not.toThrow();
    }
  }
});

test('a pattern of releases', () => {
  expect(matches('debian-12', 'debian-12')).toBe(true);
  expect(matches('debian-1', 'debian-12')).toBe(false);
  expect(matches('*-10', 'rocky-10')).toBe(true);
  expect(matches('*-10', 'rocky-9.10')).toBe(false);
  expect(matches('fedora-*', 'fedora-42')).toBe(true);
  expect(matches('a-*-a', 'a-a')).toBe(false);
});

test('a family that nobody knows has no package', () => {
  const [first] = packages.values();
  expect(first && nativeOf(first, { id: 'x-1', distribution: 'x', family: 'x' }, 'amd64')).toBeUndefined();
});

test('an entry without one of the families is refused', () => {
  const whole = { name: 'a', description: 'b', debian: 'a', rhel: 'a', suse: 'a', arch: null, alpine: { name: null, note: 'c' } };
  const parse = (item: unknown): boolean => packageCategorySchema.safeParse({ category: 'x', summary: 'y', packages: [item] }).success;
  expect(parse(whole)).toBe(true);
  const { suse: _suse, ...lacking } = whole;
  expect(parse(lacking)).toBe(false);
  expect(parse({ ...whole, debian: { name: 'a', sean: 'typo' } })).toBe(false);
  expect(parse({ ...whole, debian: 'a; rm -rf /' })).toBe(false);
});

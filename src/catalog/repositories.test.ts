import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readCatalogFolder } from './folder.ts';
import { findRepository, repositorySchema, repositoryWay, type RepositoryRelease } from './repositories.ts';

const catalog = await readCatalogFolder();
const RELEASES: readonly RepositoryRelease[] = [
  { id: 'debian-12', name: 'Debian', distribution: 'debian', version: '12', codename: 'bookworm', family: 'debian' },
  { id: 'debian-13', name: 'Debian', distribution: 'debian', version: '13', codename: 'trixie', family: 'debian' },
  { id: 'rocky-9', name: 'Rocky Linux', distribution: 'rocky', version: '9.6', codename: 'Blue Onyx', family: 'rhel' },
  { id: 'rocky-8', name: 'Rocky Linux', distribution: 'rocky', version: '8.10', codename: 'Green Obsidian', family: 'rhel' },
  { id: 'rhel-10', name: 'RHEL', distribution: 'rhel', version: '10', codename: 'Coughlan', family: 'rhel' },
  { id: 'fedora-42', name: 'Fedora', distribution: 'fedora', version: '42', codename: 'Adams', family: 'rhel' },
];
const release = (id: string): RepositoryRelease => {
  const found = RELEASES.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(id);
  return found;
};
const way = (name: string, id: string, parameters = {}, arch = 'amd64'): ReturnType<typeof repositoryWay> =>
  repositoryWay(findRepository(catalog, name), release(id), arch, parameters);

test('a repository is called as its file', async () => {
  const files = (await readdir(new URL('../../catalog/repositories', import.meta.url))).map((name) => name.replace(/\.yaml$/, '')).toSorted();
  expect(catalog.repositories.map(({ repository }) => repository)).toEqual(files);
});

test('nothing stays to be filled in, every source of apt has suites, and no other has them', () => {
  for (const repository of catalog.repositories) {
    for (const one of RELEASES) {
      let found: ReturnType<typeof repositoryWay>;
      try {
        found = repositoryWay(repository, one, 'amd64');
      } catch {
        continue;
      }
      expect(JSON.stringify(found), `${repository.repository} for ${one.id}`).not.toMatch(/\{\{|\}\}/);
      if ('uri' in found) expect(found.suites.length > 0, `suites of ${repository.repository} for ${one.id}`).toBe(one.family === 'debian');
    }
  }
});

test('what differs between releases is filled in', () => {
  expect(way('docker', 'debian-13')).toMatchObject({ uri: 'https://download.docker.com/linux/debian', suites: ['trixie'], components: ['stable'] });
  expect(way('docker', 'rocky-9')).toMatchObject({ uri: 'https://download.docker.com/linux/centos/9/$basearch/stable' });
  expect(way('docker', 'fedora-42')).toMatchObject({ uri: 'https://download.docker.com/linux/fedora/$releasever/$basearch/stable' });
  expect(way('microsoft', 'debian-12')).toMatchObject({ uri: 'https://packages.microsoft.com/debian/12/prod', key: expect.stringContaining('microsoft.asc') });
  expect(way('microsoft', 'debian-13')).toMatchObject({ key: expect.stringContaining('microsoft-2025.asc') });
});

test("a role's parameters win over the repository's defaults", () => {
  expect(way('kubernetes', 'debian-12')).toMatchObject({ uri: 'https://pkgs.k8s.io/core:/stable:/v1.36/deb/', suites: ['/'] });
  expect(way('kubernetes', 'debian-12', { version: '1.35', unknown: 'x' })).toMatchObject({ key: expect.stringContaining('/v1.35/') });
  expect(way('kubernetes', 'rocky-9', { version: '1.35' })).toMatchObject({ uri: expect.stringMatching(/v1\.35\/rpm\/$/) });
});

test('a repository that the distribution has itself is switched on, a component, or there already', () => {
  expect(way('epel', 'rocky-9')).toMatchObject({ uri: 'https://dl.fedoraproject.org/pub/epel/9/Everything/$basearch/' });
  expect(way('epel', 'rhel-10')).toMatchObject({ key: expect.stringMatching(/EPEL-10$/) });
  expect(way('epel', 'fedora-42')).toMatchObject({ included: true });
  expect(way('crb', 'rocky-8')).toMatchObject({ enable: 'powertools' });
  expect(way('crb', 'rocky-9')).toMatchObject({ enable: 'crb' });
  expect(way('crb', 'rhel-10', {}, 'arm64')).toMatchObject({ enable: 'codeready-builder-for-rhel-10-aarch64-rpms' });
  expect(way('contrib', 'debian-12')).toMatchObject({ component: 'contrib' });
});

test('a mistyped repository is answered with the nearest names, and one that a release lacks is refused', () => {
  expect(() => way('dokcer', 'debian-12')).toThrow(expect.objectContaining({ code: 'repository-unknown', hint: 'Did you mean docker?' }));
  expect(() => way('epel', 'debian-12')).toThrow(expect.objectContaining({ code: 'repository-unsupported', hint: expect.stringContaining('the family rhel') }));
});

test('a fingerprint that is cut off, or a key over http, is refused', () => {
  const docker = findRepository(catalog, 'docker');
  const debian = { uri: 'https://example.org', suites: ['stable'], key: 'https://example.org/key', fingerprints: ['9DC858229FC7DD38854AE2D88D81803C0EBFCD88'] };
  const parse = (families: unknown): boolean => repositorySchema.safeParse({ ...docker, families }).success;
  expect(parse({ debian })).toBe(true);
  expect(parse({ debian: { ...debian, fingerprints: ['8D81803C0EBFCD88'] } })).toBe(false);
  expect(parse({ debian: { ...debian, key: 'http://example.org/key' } })).toBe(false);
  expect(parse({ debian: { ...debian, fingerprints: [] } })).toBe(false);
});

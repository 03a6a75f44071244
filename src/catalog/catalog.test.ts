import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { findRelease, releases } from './catalog.ts';
import { readCatalogFolder } from './folder.ts';

const catalog = await readCatalogFolder();

test('every release has a name of its own and keys to verify it with', () => {
  const all = releases(catalog);
  expect(new Set(all.map((release) => release.id)).size).toBe(all.length);
  for (const release of all.filter(({ archive }) => archive !== undefined)) expect(release.archive?.keyring).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
});

test('a mistyped release is answered with the nearest names', () => {
  expect(() => findRelease(catalog, 'debian-21')).toThrow(expect.objectContaining({ code: 'release-unknown', hint: expect.stringContaining('debian-11') }));
});

test.skipIf(!existsSync('/usr/bin/gpg'))('a keyring holds exactly the keys whose fingerprints the catalog pins (needs gpg)', () => {
  for (const { archive } of catalog.distributions) {
    if (archive === undefined) continue;
    const listing = execFileSync('gpg', ['--with-colons', '--show-keys'], { input: catalog.keys[archive.keyring], encoding: 'utf8' });
    const records = listing.split('\n').map((line) => line.split(':'));
    const primary = records.flatMap(([kind], i) => (kind === 'pub' ? [records.slice(i).find((record) => record[0] === 'fpr')?.[9] ?? ''] : []));
    expect(primary.toSorted()).toEqual(archive.fingerprints.toSorted());
  }
});

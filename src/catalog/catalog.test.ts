import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keyFingerprints } from '../base/openpgp.ts';
import { findRelease, keysWith, releases } from './catalog.ts';
import { readCatalogFolder } from './folder.ts';
import { provenRows } from './proven.ts';
import { proofOf, sourcesOf } from './release-facts.ts';
import { TRAP_NAMES } from './traps.ts';

const catalog = await readCatalogFolder();
const all = releases(catalog);

test('the catalog has releases enough, each with a name of its own that no other name of one is', () => {
  expect(all.length).toBeGreaterThanOrEqual(75);
  expect(catalog.distributions.length).toBeGreaterThanOrEqual(32);
  const names = all.flatMap(({ id, aliases }) => [id, ...aliases]);
  expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
});

test('what everybody asks for is there', () => {
  const wanted = [
    ['ubuntu-22.04', 'ubuntu-24.04', 'ubuntu-26.04', 'debian-11', 'debian-12', 'debian-13', 'almalinux-8', 'almalinux-9', 'almalinux-10'],
    ['rocky-8', 'rocky-9', 'rocky-10', 'centos-stream-9', 'centos-stream-10', 'rhel-8', 'rhel-9', 'rhel-10', 'sles-15', 'sles-16'],
    ['opensuse-leap-16.0', 'tumbleweed', 'fedora-43', 'fedora-44', 'oraclelinux-9', 'amazonlinux-2023', 'arch', 'alpine-3.24', 'kali'],
  ];
  for (const id of wanted.flat()) expect(sourcesOf(findRelease(catalog, id))).toContain('cloud-image');
});

test('every end of support is a day at which a release can end, and extended support ends later', () => {
  for (const { id, eol, extended, rolling } of all) {
    expect(eol ?? '2020-01-01', id).toMatch(/^20[2-4]\d-/);
    if (extended !== undefined) expect(extended > (eol ?? ''), id).toBe(true);
    if (rolling) expect(eol, id).toBeUndefined();
  }
});

test('an image of a release that is signed is signed by a key of its distribution; images without any proof are those that are told here', () => {
  const unproved = all.flatMap(({ id, images }) =>
    Object.values(images).flatMap((image) => (proofOf(image) === 'none' && image.login === undefined ? [id] : [])),
  );
  expect([...new Set(unproved)]).toEqual(['anolis-8', 'photon-5.0']);
});

test('an unattended installer is proved by a list, or given by the user; and none by a list of another architecture, nor with its packages', () => {
  const others: Record<string, RegExp> = { amd64: /arm64|aarch64/, arm64: /amd64|x86_64/ };
  for (const { id, installer } of all) {
    const media = Object.entries(installer?.media ?? {});
    for (const [arch, { url, repository, checksum, signature, login }] of media) {
      const texts = [url, repository, checksum?.url, signature?.kind === 'detached' ? signature.url : undefined];
      for (const text of texts) expect(text ?? '', id).not.toMatch(others[arch] ?? /$^/);
      if (installer?.method !== 'interactive') expect(checksum !== undefined || login !== undefined, id).toBe(true);
      if (media.length > 1 && checksum !== undefined) expect(new URL(checksum.url).host, id).toBe(new URL(url).host);
    }
  }
});

test('keys that could not be had are those that are told here, and all others are there', () => {
  const missing = new Set(catalog.distributions.flatMap(({ keys }) => keys.filter(({ fingerprint }) => keysWith(catalog, [fingerprint]).length === 0)));
  expect([...missing].map(({ source }) => source).every((source) => source.includes('key'))).toBe(true);
  expect(catalog.distributions.flatMap(({ distribution, keys }) => (keys.some((key) => missing.has(key)) ? [distribution] : []))).toEqual([
    'alpine',
    'arch',
    'devuan',
    'kali',
  ]);
});

test('every key file has exactly the key whose fingerprint stands beside it', () => {
  for (const { keys, archive } of catalog.distributions) {
    for (const { fingerprint, file } of keys) if (file !== undefined) expect(keyFingerprints(Buffer.from(catalog.keys[file] ?? ''))).toEqual([fingerprint]);
    if (archive !== undefined) expect(keyFingerprints(Buffer.from(catalog.keys[archive.keyring] ?? '')).toSorted()).toEqual(archive.fingerprints.toSorted());
  }
});

test('every trap is one of some release', () => {
  const used = new Set(all.flatMap(({ traps }) => traps));
  expect(TRAP_NAMES.filter((trap) => !used.has(trap))).toEqual([]);
});

test('what was built and booted is said of releases that there are', () => {
  for (const { release } of provenRows(catalog)) expect(all.map(({ id }) => id)).toContain(release);
});

test('a mistyped release is answered with the nearest names', () => {
  expect(() => findRelease(catalog, 'debian-21')).toThrow(expect.objectContaining({ code: 'release-unknown', hint: expect.stringContaining('debian-11') }));
});

test('a distribution without a release is answered with those that are maintained the longest', () => {
  expect(() => findRelease(catalog, 'ubuntu')).toThrow(expect.objectContaining({ hint: expect.stringMatching(/^Did you mean ubuntu-26\.04/) }));
});

test('a release is found by its other names too', () => {
  expect(findRelease(catalog, 'ubuntu-noble').id).toBe('ubuntu-24.04');
});

test.skipIf(!existsSync('/usr/bin/gpg'))('gpg reads in the key files what ingot does (needs gpg)', () => {
  for (const [file, key] of Object.entries(catalog.keys)) {
    const listing = execFileSync('gpg', ['--with-colons', '--show-keys'], { input: key, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
    const records = listing.split('\n').map((line) => line.split(':'));
    const primary = records.flatMap(([kind], i) => (kind === 'pub' ? [records.slice(i).find((record) => record[0] === 'fpr')?.[9] ?? ''] : []));
    expect(primary.toSorted(), file).toEqual(keyFingerprints(Buffer.from(key)).toSorted());
  }
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sampleRelease } from '../../../tests/support/installer.ts';
import { failureOf, templateFolder } from '../../../tests/support/templates.ts';
import { listMedia, mediumOf, promisedMedium, removeMedium } from './medium.ts';

describe('what the catalog says of a medium', () => {
  test('is fetched like a cloud image', () => {
    const checksum = { url: 'https://mirror.example/SUMS', algorithm: 'sha256', style: 'gnu', inferred: false } as const;
    const release = sampleRelease({
      installer: {
        method: 'preseed',
        media: {
          amd64: { url: 'https://mirror.example/a.iso', checksum, seen: 'x', inferred: false },
          arm64: { url: 'https://mirror.example/b.iso', checksum: { ...checksum, url: 'https://mirror.example/ARM' }, seen: 'x', inferred: false },
        },
      },
    });
    expect(mediumOf(release, 'amd64')).toMatchObject({ url: 'https://mirror.example/a.iso', format: 'raw', compression: 'none', checksum });
    expect(mediumOf(release, 'arm64')).toMatchObject({ url: 'https://mirror.example/b.iso', checksum: { url: 'https://mirror.example/ARM' } });
  });

  test.each([
    ['source-unsupported', sampleRelease({ installer: undefined })],
    [
      'arch-unsupported',
      sampleRelease({ installer: { method: 'preseed', media: { arm64: { url: 'https://mirror.example/a.iso', seen: 'x', inferred: false } } } }),
    ],
    [
      'login-needed',
      sampleRelease({
        installer: { method: 'kickstart', media: { amd64: { url: 'https://vendor.example/', login: 'an account', seen: 'x', inferred: false } } },
      }),
    ],
  ])('is refused where it cannot be had: %s', (code, release) => {
    expect(() => mediumOf(release, 'amd64')).toThrow(expect.objectContaining({ code }));
  });
});

test('the cache has what its records name, and loses it when it is removed', async () => {
  await using at = await templateFolder({});
  const { home } = at.context;
  const known = await listMedia(at.context);
  expect(known.length).toBeGreaterThan(40);
  expect(known.every(({ cached }) => cached === undefined)).toBe(true);
  const [debian] = known.filter(({ release }) => release.id === 'debian-12');
  if (debian === undefined) throw new Error('the catalog has lost it');
  expect(await failureOf(removeMedium(at.context, debian.release, 'amd64'))).toMatchObject({ code: 'iso-missing' });
  expect(await promisedMedium(at.context, debian.release, 'amd64', { offline: true })).toBeUndefined();

  const sha256 = 'ab'.repeat(32);
  const { hashValue } = await import('../../base/hash.ts');
  const record = {
    v: 1,
    release: 'debian-12',
    arch: 'amd64',
    url: debian.url,
    name: 'a.iso',
    sha256,
    size: 3,
    vouched: true,
    fetched: '2026-01-01T00:00:00.000Z',
  };
  await mkdir(home.disks, { recursive: true });
  await mkdir(home.resolutions, { recursive: true });
  await writeFile(join(home.resolutions, `medium-${hashValue(['debian-12', 'amd64']).slice(0, 32)}.json`), JSON.stringify(record));
  expect((await listMedia(at.context)).every(({ cached }) => cached === undefined)).toBe(true);
  await writeFile(join(home.disks, sha256), 'iso');
  expect((await listMedia(at.context)).filter(({ cached }) => cached !== undefined)).toMatchObject([
    { arch: 'amd64', cached: { path: join(home.disks, sha256), record } },
  ]);
  expect(await promisedMedium(at.context, debian.release, 'amd64', { offline: true })).toEqual(record);
  expect(await removeMedium(at.context, debian.release, 'amd64')).toEqual(record);
  expect((await listMedia(at.context)).every(({ cached }) => cached === undefined)).toBe(true);
});

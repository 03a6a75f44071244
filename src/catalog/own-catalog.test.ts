import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostPath } from '../base/types.ts';
import { failureOf, templateFolder } from '../../tests/support/templates.ts';
import { findRelease, keysWith, loadCatalog, releases, shippedCatalog } from './catalog.ts';

const shipped = await shippedCatalog();
const ALMA_KEY = readFileSync(new URL('../../catalog/keys/almalinux-9.asc', import.meta.url), 'utf8');
const IMAGE = 'images: { amd64: { url: https://mirror.example/a.qcow2, format: qcow2, seen: ours } }';

async function loaded(files: Readonly<Record<string, string>>): Promise<Awaited<ReturnType<typeof loadCatalog>>> {
  await using at = await templateFolder(files);
  return await loadCatalog({ ...at.context, settings: { catalog: join(at.folder, '.') } });
}

test('without a folder of his own the user has the shipped catalog itself', async () => {
  await using at = await templateFolder({});
  expect(await loadCatalog(at.context)).toBe(shipped);
});

test('the folder is catalog in the home, unless the setting says another', async () => {
  await using at = await templateFolder({});
  await at.host.files.makeDirectory(hostPath(join(at.home.catalog, 'distros')));
  await at.host.files.write(
    join(at.home.catalog, 'distros', 'x.yaml'),
    `distribution: x\nname: X\nfamily: debian\nreleases:\n  - id: x-1\n    version: '1'\n    ${IMAGE}\n`,
  );
  expect(findRelease(await loadCatalog(at.context), 'x-1')).toMatchObject({ family: 'debian', architectures: ['amd64'], defaultUser: 'x' });
});

test('a file of a known distribution adds releases, and replaces those of the same id', async () => {
  const text = `distribution: rocky\nreleases:\n  - { id: rocky-9, version: '9', ${IMAGE} }\n  - { id: rocky-11, version: '11', ${IMAGE} }\n`;
  const catalog = await loaded({ 'distros/mine.yaml': text });
  expect(releases(catalog).length).toBe(releases(shipped).length + 1);
  expect(findRelease(catalog, 'rocky-9').images.amd64?.url).toBe('https://mirror.example/a.qcow2');
  expect(findRelease(catalog, 'rocky-11')).toMatchObject({ name: 'Rocky Linux', family: 'rhel', defaultUser: 'rocky' });
  expect(findRelease(catalog, 'rocky-8')).toEqual(findRelease(shipped, 'rocky-8'));
});

test('keys of his own are found by their fingerprints', async () => {
  const catalog = await loaded({ 'keys/mine.asc': ALMA_KEY });
  expect(keysWith(catalog, ['BF18AC2876178908D6E71267D36CB86CB86B3716'])).toContain(ALMA_KEY);
});

test('everything that is wrong is told at once, at its line and column', async () => {
  const failure = await failureOf(
    loaded({
      'distros/a.yaml': `distribution: rocki\nreleases:\n  - { id: r-1, version: '1', ${IMAGE} }\n`,
      'distros/b.yaml': `distribution: rocky\nfamilie: rhel\nreleases:\n  - { id: R 1, version: 9, traps: [lvn], ${IMAGE} }\n`,
      'distros/c.yaml': `distribution: rocky\nkeys: [{ fingerprint: ${'A'.repeat(40)}, file: keys/none.asc, source: me }]\nreleases:\n  - { id: r-3, version: '3' }\n`,
    }),
  );
  expect(failure).toMatchObject({ code: 'catalog-invalid', message: expect.stringContaining('7 problems') });
  const told = failure.problems?.map(({ position, path, message }) => `${position?.file}:${position?.line}:${position?.column} ${path ?? ''} ${message}`);
  expect(told).toEqual([
    expect.stringContaining('a.yaml:1:15 distribution is not in the catalog yet'),
    expect.stringContaining('b.yaml:2:1 familie is unknown'),
    expect.stringMatching(/b\.yaml:4:11 releases\[0\]\.id/),
    expect.stringMatching(/b\.yaml:4:25 releases\[0\]\.version must be text/),
    expect.stringMatching(/b\.yaml:4:36 releases\[0\]\.traps\[0\] must be/),
    expect.stringMatching(/c\.yaml:2:\d+ keys\[0\]\.file is not there/),
    expect.stringMatching(/c\.yaml:4:5 releases\[0\] has no `bootstrap`/),
  ]);
});

test('no file makes anything but a catalog, or an error that names it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
      const result = await loaded({ 'distros/a.yaml': text }).catch((error: unknown) => error);
      if (result instanceof Error) expect(result).toMatchObject({ code: 'catalog-invalid' });
      else expect(result).toHaveProperty('distributions');
    }),
    { numRuns: 30 },
  );
});

import { expect, test } from 'vitest';
import { problemsOf, templateFolder } from '../../tests/support/templates.ts';
import { openSecrets } from '../base/secrets.ts';
import { readCatalogFolder } from '../catalog/folder.ts';
import type { FamilyName } from '../catalog/families.ts';

async function problems(text: string): Promise<string[]> {
  await using at = await templateFolder({ 'web.yaml': text });
  await (await openSecrets({ host: at.host, home: at.home })).set('pro-token', 'C1-a-token-of-a-subscription');
  return await problemsOf(at.resolve());
}

test('updates and snaps come out as they were written, with their defaults', async () => {
  await using at = await templateFolder({
    'web.yaml': 'from: debian-12\nupdate: security\nsnaps: [hello, { name: lxd, channel: 5.21/stable, classic: true }]\n',
  });
  expect(await at.resolve()).toMatchObject({
    update: 'security',
    snaps: [
      { name: 'hello', classic: false },
      { name: 'lxd', channel: '5.21/stable', classic: true },
    ],
  });
  await at.write({ 'web.yaml': 'from: debian-12\n' });
  expect(await at.resolve()).toMatchObject({ update: 'none', snaps: [] });
});

test('what the release does not have is told at its place', async () => {
  expect(await problems('from: debian-sid\nupdate: security\nsystem: { ubuntu-pro: { token: { secret: pro-token } } }\n')).toEqual([
    'web.yaml:2:9 update: cannot be security: debian-sid has no security updates apart from all others | Write `update: all`.',
    'web.yaml:3:23 system.ubuntu-pro: is for Ubuntu alone, and the image is debian-sid',
  ]);
});

test('a snap is named once, by a name that the store can have', async () => {
  expect(await problems('from: debian-12\nsnaps: [hello, { name: hello, channel: edge }]\n')).toEqual(['web.yaml:2:16 snaps[1]: hello is there twice']);
  const [wrong] = await problems('from: debian-12\nsnaps: [Hello]\n');
  expect(wrong).toMatch(/^web.yaml:2:9 snaps\[0\]/);
});

/** The catalog with its Debian releases in another family. */
async function problemsIn(family: FamilyName, text: string): Promise<string[]> {
  const catalog = await readCatalogFolder();
  const distributions = catalog.distributions.map((distribution) => ({ ...distribution, family }));
  await using at = await templateFolder({ 'web.yaml': text });
  return await problemsOf(at.resolve({}, { catalog: { ...catalog, distributions } }));
}

test('families without snapd or security updates say so', async () => {
  for (const family of ['suse', 'arch', 'alpine'] as const) {
    const [found] = await problemsIn(family, 'from: debian-12\nsnaps: [hello]\n');
    expect(found).toMatch(/^web.yaml:2:8 snaps: cannot be installed: Debian has no package of snapd/);
  }
  for (const family of ['arch', 'alpine'] as const) {
    const [found] = await problemsIn(family, 'from: debian-12\nupdate: security\n');
    expect(found).toMatch(/^web.yaml:2:9 update: cannot be security/);
  }
});

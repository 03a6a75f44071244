import { expect, test } from 'vitest';
import { problemsOf, templateFolder, type TemplateFolder } from '../../tests/support/templates.ts';
import { openSecrets } from '../base/secrets.ts';
import { readCatalogFolder } from '../catalog/folder.ts';
import type { CatalogData } from '../catalog/schema.ts';

/** The catalog, in which Debian's packages are served to customers of a vendor alone. */
async function servedBy(subscription: 'rhel' | 'sles' | undefined): Promise<CatalogData> {
  const catalog = await readCatalogFolder();
  const family = subscription === 'sles' ? 'suse' : 'rhel';
  return { ...catalog, distributions: catalog.distributions.map((each) => (subscription === undefined ? each : { ...each, family, subscription })) };
}

async function folder(text: string): Promise<TemplateFolder> {
  const at = await templateFolder({ 'web.yaml': text });
  await (await openSecrets({ host: at.host, home: at.home })).set('vendor-key', 'K3y-that-nobody-reads');
  return at;
}

async function problems(vendor: 'rhel' | 'sles' | undefined, text: string): Promise<string[]> {
  await using at = await folder(text);
  return await problemsOf(at.resolve({}, { catalog: await servedBy(vendor) }));
}

const FROM = 'from: debian-12\n';

test('a subscription comes out with the name of its secret, and nothing of its value', async () => {
  await using at = await folder(
    `${FROM}subscription: { organization: '123', activation-key: { secret: vendor-key }, server: 'https://sat.example.org/', repositories: [b, a, b] }\n`,
  );
  const { subscription } = await at.resolve({}, { catalog: await servedBy('rhel') });
  expect(subscription).toEqual({ vendor: 'rhel', organization: '123', secret: 'vendor-key', server: 'https://sat.example.org', repositories: ['a', 'b'] });
  await at.write({ 'web.yaml': `${FROM}subscription: { server: 'https://rmt.example.org:8443', modules: [sle-module-containers] }\n` });
  expect((await at.resolve({}, { catalog: await servedBy('sles') })).subscription).toEqual({
    vendor: 'sles',
    server: 'https://rmt.example.org:8443',
    modules: ['sle-module-containers'],
  });
});

test('what is missing, and what belongs to another release, is told at its place', async () => {
  expect(await problems('rhel', `${FROM}subscription: { email: me@example.org, ca: none }\n`)).toEqual([
    expect.stringMatching(/web.yaml:2:\d+ subscription: needs `activation-key` \| `ingot secret set my-key`/),
    expect.stringMatching(/web.yaml:2:\d+ subscription: needs `organization`/),
    expect.stringMatching(/web.yaml:2:\d+ subscription.email: is for SLES alone, and the image is debian-12/),
    expect.stringMatching(/web.yaml:2:\d+ subscription.ca: means nothing without `server`/),
    expect.stringMatching(/web.yaml:2:\d+ subscription.ca: holds no certificate/),
  ]);
  expect(await problems('sles', `${FROM}subscription: { repositories: [crb] }\n`)).toEqual([
    expect.stringMatching(/subscription: needs `registration-code`/),
    expect.stringMatching(/subscription.repositories: is for RHEL alone/),
  ]);
  expect(await problems('sles', `${FROM}subscription: { registration-code: { secret: vendor-kee } }\n`)).toEqual([
    expect.stringMatching(/subscription.registration-code.secret: there is no secret "vendor-kee" \| Did you mean vendor-key/),
  ]);
  expect(await problems(undefined, `${FROM}subscription: { registration-code: { secret: vendor-key } }\n`)).toEqual([
    expect.stringMatching(/subscription: is for RHEL and SLES alone, and the image is debian-12/),
  ]);
});

test.each([
  ['server', 'http://sat.example.org', /https address without a path/],
  ['server', 'https://sat.example.org/rhsm', /https address without a path/],
  ['organization', 'a b', /number or label/],
  ['email', 'nobody', /e-mail address/],
  ['email', '--url@x', /e-mail address/],
  ['repositories', '[--disable]', /identifier of a repository/],
  ['modules', '[-d]', /must be a module/],
])('%s: %s is refused', async (key, value, reason) => {
  const [found] = await problems('rhel', `${FROM}subscription: { ${key}: ${value.startsWith('[') ? value : `'${value}'`} }\n`);
  expect(found).toMatch(reason);
});

test('packages, roles and updates without a subscription are refused with the way to add one', async () => {
  await using at = await folder(`${FROM}update: all\npackages: [nginx]\n`);
  const catalog = await servedBy('rhel');
  const missing = {
    class: 'usage',
    code: 'subscription-missing',
    hint: expect.stringMatching(/ingot secret set my-key.*activation-key: \{ secret: my-key \}.*system\.repositories/),
  };
  await expect(at.resolve({}, { catalog })).rejects.toMatchObject({
    ...missing,
    message: expect.stringContaining('(update, packages)'),
    problems: [
      { path: 'update', position: { line: 2 } },
      { path: 'packages', position: { line: 3 } },
    ],
  });
  await at.write({ 'web.yaml': FROM });
  expect(await at.resolve({}, { catalog })).toMatchObject({ packages: [] });
  await expect(at.resolve({ packages: ['nginx'] }, { catalog })).rejects.toMatchObject({ ...missing, problems: [] });
  await at.write({ 'web.yaml': `${FROM}packages: [nginx]\nsubscription: { organization: '1', activation-key: { secret: vendor-key } }\n` });
  expect(await at.resolve({}, { catalog })).toMatchObject({ packages: ['nginx'], subscription: { vendor: 'rhel' } });
});

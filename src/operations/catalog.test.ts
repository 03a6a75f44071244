import { expect, test } from 'vitest';
import * as z from 'zod';
import { failureOf, templateFolder } from '../../tests/support/templates.ts';
import catalogDistro from './catalog-distro.ts';
import catalogDistros from './catalog-distros.ts';
import catalogPackage from './catalog-package.ts';
import catalogPackages from './catalog-packages.ts';
import catalogRepositories from './catalog-repositories.ts';
import type { Operation } from './operation.ts';

async function run<I extends z.core.$ZodObject, O extends z.core.$ZodType>(operation: Operation<I, O>, input: Record<string, unknown>, width = Infinity) {
  await using at = await templateFolder({});
  const output = await operation.run(z.parse(operation.input, input), at.context);
  const checked = z.parse(operation.output, output);
  expect(JSON.parse(JSON.stringify(checked))).toEqual(JSON.parse(JSON.stringify(output)));
  return { output: checked, text: operation.render?.(checked, { color: false, width }) ?? '' };
}

test('packages stand below their categories, with the families that lack them', async () => {
  const { output, text } = await run(catalogPackages, {});
  expect(output.categories).toHaveLength(16);
  expect(text).toMatch(/^NAME +NOT IN +DESCRIPTION\n\nbackup-storage\nrestic /);
  expect(text).toMatch(/\ndocker +rhel +Docker Engine from the distribution\n/);
  expect(text).toMatch(/\n\n\d{3} packages$/);
});

test('no line is wider than the terminal, and without one nothing is cut', async () => {
  for (const family of [undefined, 'debian', 'rhel', 'suse'] as const) {
    const { text } = await run(catalogPackages, { family }, 120);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    expect((await run(catalogPackages, { family })).text).not.toContain('…');
  }
});

test("a family's own names, where they were seen, and what brings them", async () => {
  const { text } = await run(catalogPackages, { family: 'rhel', search: 'ZIP' });
  expect(text).toMatch(/\nunzip +unzip +De-archiver for \.zip files +ros\/rosdistro/);
  expect(text).toMatch(/\n7zip +p7zip \* +epel +7-Zip archiver/);
  expect(text).toContain('* differs between releases');
  expect((await run(catalogPackages, { family: 'debian', category: 'editors' })).text).toMatch(/\nemacs-nox +emacs-nox +GNU Emacs without X +tested\n/);
});

test('search finds native names too, and says so where there is nothing', async () => {
  expect((await run(catalogPackages, { search: 'openbsd-netcat' })).output.categories.map(({ packages }) => packages.map(({ name }) => name))).toEqual([
    ['netcat-openbsd'],
  ]);
  expect((await run(catalogPackages, { search: 'zzzz' })).text).toMatch(/^No package/);
});

test('a mistyped category is answered with the nearest, or those with that word', async () => {
  expect(await failureOf(run(catalogPackages, { category: 'editor' }))).toMatchObject({ code: 'category-unknown', hint: 'Did you mean editors?' });
  expect(await failureOf(run(catalogPackages, { category: 'storage' }))).toMatchObject({ hint: 'Did you mean backup-storage?' });
});

test('one package with all that is known; a native name leads to it', async () => {
  const { text } = await run(catalogPackage, { name: 'incus' });
  expect(text).toMatch(/debian +incus \* +debian-11: incus of zabbly; debian-12: incus of zabbly +tested/);
  expect(text).toMatch(/rhel +incus +in fedora alone; Enterprise Linux: COPR neelc\/incus +lxc\/incus/);
  expect(await failureOf(run(catalogPackage, { name: 'docker.io' }))).toMatchObject({ code: 'package-unlisted', hint: 'Did you mean docker?' });
});

test('repositories, and one with its keys', async () => {
  expect((await run(catalogRepositories, {})).text).toMatch(/\nepel +rhel +Extra Packages/);
  const { text } = await run(catalogRepositories, { name: 'kubernetes' });
  expect(text).toContain('Parameter     version: Minor version; default 1.36');
  expect(text).toContain('Fingerprint DE15B14486CD377B9E876E1A234654DA9A296436');
});

test('releases tell whether their support is over', async () => {
  const { output } = await run(catalogDistros, {});
  const today = new Date().toISOString().slice(0, 10);
  for (const { eol, ended } of output.releases) expect(ended).toBe(eol !== null && eol < today);
});

test('releases are found by family, by any of their names, and by their end', async () => {
  const ids = async (input: Record<string, unknown>): Promise<string[]> => (await run(catalogDistros, input)).output.releases.map(({ id }) => id);
  expect(await ids({ family: 'arch', search: 'linux' })).toEqual(['arch']);
  expect(await ids({ search: 'NOBLE' })).toEqual(['ubuntu-24.04', 'ubuntu-24.04-minimal']);
  expect(await ids({ eol: true, search: 'centos' })).toEqual(['centos-7']);
  expect((await run(catalogDistros, { search: 'zzz' })).text).toMatch(/^No release/);
});

test('one release with its images, what proves them, its keys, traps and what is proven', async () => {
  const { text } = await run(catalogDistro, { release: 'alma-9' });
  expect(text).toContain('Release       almalinux-9, alma-9');
  expect(text).toMatch(/Signature +https:\/\/repo\.almalinux\.org\S+CHECKSUM\.asc \(of the checksum\)/);
  expect(text).toMatch(/BF18AC2876178908D6E71267D36CB86CB86B3716 +AlmaLinux OS 9/);
  expect(text).toMatch(/selinux-enforcing +SELinux is enforcing/);
  expect((await run(catalogDistro, { release: 'kali' })).text).toContain('the key is not here: put it into keys/ of your catalog folder');
  expect((await run(catalogDistro, { release: 'debian-13' })).text).toMatch(/Proven here +packages on amd64: built and booted/);
  expect((await run(catalogDistro, { release: 'rhel-9' })).text).toContain('Red Hat account (access.redhat.com): download it yourself');
});

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Events } from '../../src/base/events.ts';
import { archiveOf, findRelease } from '../../src/catalog/catalog.ts';
import { readCatalogFolder } from '../../src/catalog/folder.ts';
import type { Release, ReleaseArchive } from '../../src/catalog/schema.ts';
import { installedStatus } from '../../src/sources/bootstrap/installed-status.ts';
import { refreshUpstream, resolveUpdates, type UpstreamOptions } from '../../src/sources/bootstrap/upstream.ts';
import { sampleHome } from '../support/sample-images.ts';
import { standIn, type StandInPackage } from '../support/stand-in.ts';

const missing = ['apt-get', 'dpkg-deb', 'gpg'].filter((program) => !existsSync(`/usr/bin/${program}`));
/** Each makes two signed repositories and asks apt, which takes its time on a busy host. */
const LIMIT = { timeout: 60_000 };
const real = test.skipIf(missing.length > 0);
const why = missing.length === 0 ? '' : ` (skipped: no ${missing.join(', ')})`;

const debian = findRelease(await readCatalogFolder(), 'debian-12');

const ARCHIVE: readonly StandInPackage[] = [
  { name: 'editor', version: '2.0' },
  { name: 'tls', version: '3.0-1', depends: ['tls-common'] },
  { name: 'tls-common', version: '1.0' },
  { name: 'shell', version: '5.2-2' },
  { name: 'kernel', version: '2', depends: ['kernel-image-2'] },
  { name: 'kernel-image-2', version: '2' },
];
const SECURITY: readonly StandInPackage[] = [{ name: 'tls', version: '3.0-1+fix2', depends: ['tls-common'] }];

/** What an older image holds. */
const OLD = [
  { name: 'editor', version: '1.0' },
  { name: 'tls', version: '3.0-1+fix1' },
  { name: 'shell', version: '5.2-2' },
  { name: 'kernel', version: '1' },
];

function statusOf(packages: readonly Pick<StandInPackage, 'name' | 'version' | 'depends'>[]): string {
  const metadata = packages.map(({ name, version, depends = [] }) => {
    const needs = depends.length === 0 ? '' : `Depends: ${depends.join(', ')}\n`;
    return `Package: ${name}\nVersion: ${version}\nArchitecture: all\n${needs}`;
  });
  return installedStatus(
    metadata.join('\n'),
    packages.map(({ name, version }) => ({ name, version, arch: 'all' })),
  );
}

/** What updates of installed packages mean, asked of a real apt and two repositories; as `name version archive`. */
async function updates(
  scope: 'security' | 'all',
  status: string,
  change: Partial<ReleaseArchive> = {},
): Promise<{ packages: string[]; removed: readonly string[] }> {
  await using at = await standIn({
    repositories: [
      { name: 'debian', packages: ARCHIVE, suites: ['stable'] },
      { name: 'debian-security', packages: SECURITY, suites: ['stable-security'] },
    ],
  });
  await using home = await sampleHome();
  const own = { suites: ['stable'], securitySuite: 'stable-security', components: ['main'], keyring: at.key };
  const release: Release = { ...debian, archive: { ...archiveOf(debian), ...own, ...change } };
  const context = { host: home.host, home: home.home, events: new Events('test', () => undefined, home.host), signal: new AbortController().signal };
  const mirrors = { archive: `${at.url}/debian`, security: `${at.url}/debian-security` };
  const options: UpstreamOptions = { release, arch: 'amd64', mirrors, offline: false, allowExpired: false };
  const state = await refreshUpstream(context, options);
  const installed = { identity: 'an image', status: () => Promise.resolve(status) };
  const answer = await resolveUpdates(context, options, state, scope, installed);
  // The answer is remembered: what is installed is not asked for again.
  const again = await resolveUpdates(context, options, state, scope, { ...installed, status: () => Promise.reject(new Error('asked again')) });
  expect(again).toMatchObject(answer);
  return { packages: answer.packages.map((item) => `${item.name} ${item.version} ${item.archive}`).toSorted(), removed: answer.removed };
}

real(`every update: newer versions, and what they need now${why}`, LIMIT, async () => {
  expect(await updates('all', statusOf(OLD))).toEqual({
    packages: ['editor 2.0 archive', 'kernel 2 archive', 'kernel-image-2 2 archive', 'tls 3.0-1+fix2 security', 'tls-common 1.0 archive'],
    removed: [],
  });
});

real(`security updates: what the security suite has, and what that needs, from wherever${why}`, LIMIT, async () => {
  expect(await updates('security', statusOf(OLD))).toEqual({ packages: ['tls 3.0-1+fix2 security', 'tls-common 1.0 archive'], removed: [] });
});

real(`what is on hold, and what is up to date, stays${why}`, LIMIT, async () => {
  const newest = [...ARCHIVE, ...SECURITY].filter(({ name, version }) => name !== 'tls' || version === '3.0-1+fix2');
  expect(await updates('all', statusOf(newest))).toEqual({ packages: [], removed: [] });
  const held = statusOf(OLD).replace(/(Package: editor\n(?:.+\n)*)Status: install ok/, '$1Status: hold ok');
  expect((await updates('all', held)).packages).not.toContain('editor 2.0 archive');
});

real(`a release without a security suite has no security updates${why}`, LIMIT, async () => {
  await expect(updates('security', '', { securitySuite: undefined, suites: ['stable'] })).rejects.toMatchObject({ code: 'update-unsupported' });
});

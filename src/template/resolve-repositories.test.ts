import { expect, test } from 'vitest';
import { failureOf, problemsOf, templateFolder } from '../../tests/support/templates.ts';
import { readFileSync } from 'node:fs';
import { archiveOf, findRelease, shippedCatalog } from '../catalog/catalog.ts';
import { resolveTemplate } from './resolve.ts';
import type { ResolvedTemplate } from './template.ts';

const KEYS = readFileSync(new URL('../../catalog/keys/debian-archive.asc', import.meta.url));
const catalog = await shippedCatalog();
const release = findRelease(catalog, 'debian-13');

/** A template with the role, where each address answers with this. */
async function failure(
  answer: () => Response,
): Promise<{ code: string; message: string; hint?: string | undefined; exitCode: number; detail?: string | undefined }> {
  await using at = await templateFolder({});
  const host = { ...at.context.host, fetch: () => Promise.resolve(answer()) };
  return await failureOf(resolveTemplate({ ...at.context, host }, undefined, { from: 'debian-13', roles: ['terraform'], packages: [] }));
}

test('a key that is not the pinned one is refused, with both fingerprints', async () => {
  const found = await failure(() => new Response(KEYS));
  expect(found).toMatchObject({ code: 'repository-key-mismatch', message: 'The key of the repository hashicorp is not the pinned one' });
  expect(found.detail).toContain(`received ${archiveOf(release).fingerprints[0]}`);
  expect(found.detail).toMatch(/^pinned {3}[0-9A-F]{40}$/m);
});

test('a page instead of a key, and a server that has none, are told with the repository', async () => {
  expect(await failure(() => new Response('<html>sign in</html>'))).toMatchObject({
    code: 'repository-key-mismatch',
    message: expect.stringContaining('holds no key'),
  });
  expect(await failure(() => new Response('', { status: 404 }))).toMatchObject({
    code: 'repository-key-missing',
    message: 'The key of the package repository hashicorp could not be had',
    hint: expect.stringContaining('name it hashicorp'),
  });
});

test('a key with the pinned fingerprints is taken, and a repository of the template under the same name wins', async () => {
  const repository = {
    name: 'x',
    uri: 'https://x.example',
    suites: ['stable'],
    components: ['main'],
    key: 'https://x.example/key',
    fingerprints: archiveOf(release).fingerprints,
  };
  const role = { role: 'r', version: '1', summary: 'R', families: ['debian'], parts: [{ repositories: [repository], packages: ['x'] }] };
  await using at = await templateFolder({ 'web.yaml': 'from: debian-13\nroles: [./r]\n', 'r/role.yaml': JSON.stringify(role) });
  const host = { ...at.context.host, fetch: () => Promise.resolve(new Response(KEYS)) };
  const resolve = async (): Promise<ResolvedTemplate> => await resolveTemplate({ ...at.context, host }, await at.load(), { roles: [], packages: [] });
  expect((await resolve()).system.repositories).toMatchObject([{ name: 'x', suites: ['stable'], key: expect.stringContaining('BEGIN PGP PUBLIC KEY BLOCK') }]);
  const own = { name: 'x', uri: 'http://mirror.example', suites: ['all'], key: KEYS.toString() };
  await at.write({ 'web.yaml': JSON.stringify({ from: 'debian-13', roles: ['./r'], system: { repositories: [own] } }) });
  expect((await resolve()).system.repositories.map(({ uri }) => uri)).toEqual(['http://mirror.example']);
});

test('what is wrong in the template is told before a key that could not be had', async () => {
  await using at = await templateFolder({ 'web.yaml': 'from: debian-13\nroles: [terraform, { docker: { mirrors: [x] } }]\n' }, (host) => ({
    ...host,
    fetch: () => Promise.resolve(new Response('', { status: 404 })),
  }));
  expect(await problemsOf(at.resolve())).toEqual([expect.stringMatching(/web\.yaml:2:\d+ roles\[1\]\.docker\.mirrors: /)]);
});

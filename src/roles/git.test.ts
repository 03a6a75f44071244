import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf, templateFolder } from '../../tests/support/templates.ts';
import { readGitRole } from './git.ts';

const ROLE = "role: page\nversion: '1'\nsummary: A page\nfamilies: [debian]\nparts:\n  - files: [{ path: /etc/page, from: files/page }]\n";
const run = promisify(execFile);
let folder: string;
let commit: string;

async function git(...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a@example.org',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a@example.org',
  };
  return (await run('git', ['-C', join(folder, 'roles'), ...args], { env })).stdout.trim();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ingot-git-'));
  await mkdir(join(folder, 'roles/page/files'), { recursive: true });
  await writeFile(join(folder, 'roles/page/role.yaml'), ROLE);
  await writeFile(join(folder, 'roles/page/files/page'), 'hello\n');
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '.');
  await git('commit', '--quiet', '-m', 'A page');
  commit = await git('rev-parse', 'HEAD');
  // What the branch says later does not matter.
  await writeFile(join(folder, 'roles/page/files/page'), 'changed\n');
  await symlink('/etc/passwd', join(folder, 'roles/page/files/link'));
  await git('add', '.');
  await git('commit', '--quiet', '-m', 'Another page');
});

afterAll(() => rm(folder, { recursive: true }));

const address = (): string => `file://${folder}/roles`;

test('a role of a repository is what it was in that commit, and is not fetched twice', async () => {
  await using at = await templateFolder({ 'web.yaml': `from: debian-12\nroles: [{ git: "${address()}", commit: ${commit}, path: page }]\n` });
  const [role] = (await at.resolve()).roles;
  expect(role).toMatchObject({ name: 'page', content: { files: [{ path: '/etc/page', content: 'hello\n' }] } });
  await expect(readGitRole(at.context, { git: address(), commit, path: 'page' }, true)).resolves.toMatchObject({ files: { 'role.yaml': ROLE } });
});

test('a commit that is not there, a repository that is not there, a link, and another folder are told', async () => {
  await using at = await templateFolder({});
  const failure = async (changes: object, offline = false): Promise<string> =>
    (await failureOf(readGitRole(at.context, { git: address(), commit, path: 'page', ...changes }, offline))).code;
  expect(await failure({ commit: '0'.repeat(40) })).toBe('git-commit-missing');
  expect(await failure({ git: `file://${folder}/none` })).toBe('git-failed');
  expect(await failure({ commit: await git('rev-parse', 'HEAD') })).toBe('role-file-refused');
  expect(await failure({ path: 'other' })).toBe('role-missing');
  expect(await failure({}, true)).toBe('offline-missing');
});

test('an address that would run a program is refused', async () => {
  await using at = await templateFolder({});
  const failure = await failureOf(readGitRole(at.context, { git: `ext::sh -c touch% ${folder}/ran`, commit, path: '.' }, false));
  expect(failure.code).toBe('git-failed');
  await expect(run('test', ['-e', join(folder, 'ran')])).rejects.toThrow();
});

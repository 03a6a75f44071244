import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realHost } from '../base/host.ts';
import { hostPath } from '../base/types.ts';
import { makeExt4Image } from './ext4-image.ts';

const host = realHost();
const noTools = !['/usr/sbin/mke2fs', '/sbin/mke2fs'].some((path) => existsSync(path));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ext4-'));
  await mkdir(join(folder, 'tree'));
});
afterEach(() => rm(folder, { recursive: true }));

function debugfs(image: string, request: string): string {
  return execFileSync('debugfs', ['-R', request, image], { encoding: 'utf8', env: { PATH: '/usr/sbin:/sbin:/usr/bin' }, stdio: ['ignore', 'pipe', 'ignore'] });
}

test.skipIf(noTools)('a folder becomes an image with its content, modes and links (skipped where mke2fs is not installed)', async () => {
  const tree = join(folder, 'tree');
  await mkdir(join(tree, 'a b', 'c'), { recursive: true });
  await writeFile(join(tree, 'a b', 'file'), 'content');
  await chmod(join(tree, 'a b', 'file'), 0o4751);
  await link(join(tree, 'a b', 'file'), join(tree, 'same'));
  await symlink('/etc/shadow', join(tree, 'link'));
  const image = hostPath(join(folder, 'image'));
  await makeExt4Image(host, tree, image, { label: 'test' });
  expect(debugfs(image, 'cat "/a b/file"')).toBe('content');
  expect(debugfs(image, 'stat same')).toMatch(/Mode: {2}04751[^]*Links: 2/);
  expect(debugfs(image, 'stat link')).toContain('Fast link dest: "/etc/shadow"');
  execFileSync('e2fsck', ['-fn', image], { env: { PATH: '/usr/sbin:/sbin' }, stdio: 'ignore' });
});

test.skipIf(noTools)('it is large enough for many small files, and for none (skipped where mke2fs is not installed)', async () => {
  const image = hostPath(join(folder, 'image'));
  await makeExt4Image(host, join(folder, 'tree'), image, { label: 'none' });
  await Promise.all(Array.from({ length: 3000 }, (_, i) => writeFile(join(folder, 'tree', `file-${i}`), 'x'.repeat(i))));
  await makeExt4Image(host, join(folder, 'tree'), image, { label: 'many' });
  expect(debugfs(image, 'cat file-2999')).toHaveLength(2999);
});

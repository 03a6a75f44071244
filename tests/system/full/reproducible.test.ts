import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { hostProcesses } from '../../../src/base/process.ts';
import { makeScratch } from '../../../src/base/scratch.ts';
import { reproducibleDisk } from '../../../src/disk/reproducible.ts';
import type { Context } from '../../../src/operations/operation.ts';
import { openStore } from '../../../src/store/store.ts';
import { openPlace } from '../../../src/workspace/place.ts';
import { openThrowAway } from '../../../src/workspace/throw-away.ts';
import { listTree } from '../tree.ts';
import { TestHome, whyNot } from '../support.ts';

const template = (filesystem: string): string => `
from: debian-12
disk:
  size: 4GiB
  filesystem: ${filesystem}
  partitions: [{ mount: /srv, size: 128MiB }]
packages: [fontconfig]
users: [{ name: ops, groups: [adm], sudo: true }]
steps:
  - { file: /etc/motd, content: "hello\\n" }
  - run: |
      useradd --create-home worker
      mkdir -p /srv/www && echo one >/srv/www/index.html
      mkfifo /srv/pipe && ln -s www /srv/link && ln /srv/www/index.html /srv/again
`;

interface Built {
  readonly raw: string;
  readonly table: string;
  readonly tree: string[];
}

/** Builds the template in a home, and looks at its reproducible export. */
async function buildIn(home: TestHome, file: string, out: string, args: readonly string[]): Promise<Built> {
  await home.json(['build', file, '--no-gate', ...args]);
  await home.json(['image', 'export', 'web', out, '--format', 'raw', '--reproducible', '--force']);
  const hash = createHash('sha256');
  await pipeline(createReadStream(out), hash);
  const { stdout: table } = await hostProcesses.run(['sfdisk', '--dump', out]);
  await rm(out);
  return { raw: hash.digest('hex'), table: table.replaceAll(out, 'disk'), tree: await treeOf(await home.context()) };
}

async function treeOf(context: Context): Promise<string[]> {
  const image = await openStore(context.host, context.home).resolve('web');
  await using scratch = await makeScratch(context.host, context.home, 'test');
  const disk = await reproducibleDisk(context, image, { scratch: scratch.path, workspace: 'host' });
  await using inner = await makeScratch(context.host, context.home, 'test');
  await using place = await openPlace(context, { kind: 'host', scratch: inner.path });
  await using workspace = await openThrowAway(context, place, { chain: [disk], size: image.config['dev.ingot.image'].disk.size, scratch: inner.path });
  const { stdout } = await workspace.root.run(['python3', '-B', '-'], { stdin: listTree('with times') });
  return stdout.split('\n');
}

const reason = whyNot();

describe.skipIf(reason !== undefined)(`what is built twice${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test.each(['ext4', 'xfs'])('from the same packages with %s is the same', async (filesystem) => {
    await using one = await TestHome.make();
    await using two = await TestHome.make();
    const folder = await mkdtemp('/var/tmp/ingot-test-');
    try {
      const file = join(folder, 'web.yaml');
      await writeFile(file, template(filesystem));
      const first = await buildIn(one, file, join(folder, 'disk.raw'), []);
      // The second home knows the same packages and repositories, and nothing else.
      await cp(join(one.root, 'cache'), join(two.root, 'cache'), { recursive: true });
      const second = await buildIn(two, file, join(folder, 'disk.raw'), ['--offline']);
      expect(first.tree.length).toBeGreaterThan(10_000);
      expect(first.tree.filter((line) => line.startsWith('/srv/www/index.html '))).toHaveLength(1);
      expect(second.table).toBe(first.table);
      expect(second.tree.filter((line, i) => line !== first.tree[i])).toEqual([]);
      // xfs and btrfs are filled by the kernel, which puts inodes and journal where it likes: of them the tree is the same.
      if (filesystem === 'ext4') expect(second.raw).toBe(first.raw);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

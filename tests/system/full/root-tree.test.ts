import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../../src/base/programs.ts';
import { realHost } from '../../../src/base/host.ts';
import { openStore } from '../../../src/store/store.ts';
import { CloudMirror } from '../../support/cloud-mirror.ts';
import { TestHome, traces, whyNot } from '../support.ts';

/*
 * Root file systems as tar archives, through a mirror on this host that signs its checksums: Alpine's own small root, and archives that are made to do harm.
 * Alpine's repositories are on the Internet: where they cannot be reached, what is looked at is that this is said.
 */

const DATA = process.env['INGOT_TEST_DATA'] ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url));
const TARBALL = 'alpine-minirootfs-3.20.3-x86_64.tar.gz';
const reason =
  whyNot() ??
  (existsSync(join(DATA, TARBALL)) ? undefined : `there is no ${join(DATA, TARBALL)}`) ??
  ((await findProgram(realHost(), 'gpg')) === undefined ? 'there is no gpg to sign a mirror with' : undefined);

const UNREACHABLE = /repositories-unreachable|The package repositories of alpine-root cannot be reached/;
const ALPINE = { version: '3.20', codename: '', traps: ['no-sudo', 'musl-libc', 'no-agent'] };
const WRONG = {
  'absolute-name': 'archive-unsafe',
  'dotted-name': 'archive-unsafe',
  'through-link': 'archive-unsafe',
  'hard-link': 'archive-unsafe',
  device: 'archive-unsafe',
  'no-root': 'root-missing',
  cut: 'archive-invalid',
} as const;

describe.skipIf(reason !== undefined)(`root file systems as archives${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let mirror: CloudMirror;

  beforeAll(async () => {
    home = await TestHome.make();
    mirror = await CloudMirror.open(join(home.root, 'mirror'));
    await copyFile(join(DATA, TARBALL), join(mirror.folder, TARBALL));
    await mirror.add(TARBALL, { id: 'alpine-root', ...ALPINE }, { format: 'tar', compression: 'gz' });
    for (const packing of ['xz', 'zst', 'bz2'] as const) {
      const file = TARBALL.replace(/gz$/, packing);
      const program = { xz: 'xz -0', zst: 'zstd -q', bz2: 'bzip2' }[packing];
      execFileSync('sh', ['-ec', `gzip -dc "$1" | ${program} >"$2"`, 'sh', join(mirror.folder, TARBALL), join(mirror.folder, file)]);
      await mirror.add(file, { id: `alpine-${packing}`, ...ALPINE }, { format: 'tar', compression: packing });
    }
    for (const kind of Object.keys(WRONG)) {
      await makeWrong(kind, join(mirror.folder, `${kind}.tar`));
      await mirror.add(`${kind}.tar`, { id: `alpine-${kind}`, ...ALPINE }, { format: 'tar' });
    }
    await mirror.publish();
    await mirror.catalog(join(home.root, 'catalog'), { distribution: 'alpine', name: 'Alpine', family: 'alpine', defaultUser: 'alpine', filesystem: 'ext4' });
  });

  afterAll(async () => {
    expect(await traces(home.root)).toEqual([]);
    await mirror[Symbol.asyncDispose]();
    await home[Symbol.asyncDispose]();
  });

  const build = (release: string): ReturnType<TestHome['ingot']> => home.ingot(['build', release, '--no-gate', '--yes', '--workspace', 'host']);

  test("Alpine's root is put on a disk and read; then its kernel comes from its repositories, or they are said to be away", async () => {
    const { exitCode, stderr } = await build('alpine-root');
    const { host, home: at } = await home.context();
    const store = openStore(host, at);
    const taken = (await store.list()).find(({ name, tag }) => name === 'alpine-root' && tag.startsWith('cloud-'));
    const { config } = await store.resolve(`alpine-root:${taken?.tag ?? ''}`);
    const image = config['dev.ingot.image'];
    expect(config.architecture).toBe('amd64');
    expect(image).toMatchObject({
      release: 'alpine-root',
      family: 'alpine',
      disk: { size: 2 * 2 ** 30, filesystem: 'ext4' },
      cloudImage: { vouched: true, tree: true },
    });
    expect(image.layers[0]?.packages).toEqual(expect.arrayContaining([{ name: 'apk-tools', version: '2.14.4-r0', arch: 'x86_64' }]));
    expect(image.repositories).toEqual(['https://dl-cdn.alpinelinux.org/alpine/v3.20/community', 'https://dl-cdn.alpinelinux.org/alpine/v3.20/main']);
    if (exitCode !== 0) expect(stderr).toMatch(UNREACHABLE);
  });

  test('what it was, and who vouches for it, is told', async () => {
    const { stdout, exitCode, stderr } = await home.ingot(['explain', 'alpine-root']);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toMatch(/^The cloud image of alpine-root:\n/);
    expect(stdout).toContain(`from:       ${mirror.url}/${TARBALL}\n`);
    expect(stdout).toMatch(/ digest: {5}sha256:[0-9a-f]{64}\n/);
    expect(stdout).toMatch(/ vouched by: a signature\n/);
    expect(stdout).toContain(`signature:  ${mirror.url}/SHA256SUMS.gpg\n`);
    expect(stdout).toMatch(/ key: {8}[0-9A-F]{40}/);
    expect(stdout).toMatch(/ seen: {7}20\d\d-/);
  });

  test.each(['xz', 'zst', 'bz2'])('an archive that is packed as %s is taken in', async (packing) => {
    await build(`alpine-${packing}`);
    const { host, home: at } = await home.context();
    expect((await openStore(host, at).list()).map(({ name }) => name)).toContain(`alpine-${packing}`);
  });

  test('an archive of the user, for which nobody vouches, is put on a disk and read in the helper VM', async () => {
    const file = join(home.root, 'own.tar');
    execFileSync('sh', ['-ec', 'gzip -dc "$1" >"$2"', 'sh', join(DATA, TARBALL), file]);
    const { exitCode, stderr } = await home.ingot(['image', 'import', file, '--name', 'own-root', '--release', 'alpine-root']);
    const { host, home: at } = await home.context();
    const store = openStore(host, at);
    const tag = `cloud-${createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
      .slice(0, 12)}`;
    const image = (await store.resolve(`alpine-root:${tag}`).catch(() => undefined))?.config['dev.ingot.image'];
    expect(image, stderr).toMatchObject({ family: 'alpine', disk: { size: 2 * 2 ** 30, filesystem: 'ext4' }, cloudImage: { vouched: false, tree: true } });
    expect(image?.layers[0]?.packages).toEqual(expect.arrayContaining([{ name: 'apk-tools', version: '2.14.4-r0', arch: 'x86_64' }]));
    if (exitCode !== 0) expect(stderr).toMatch(UNREACHABLE);
  });

  test.each(Object.entries(WRONG))('an archive with %s is refused as %s', async (kind, code) => {
    const { exitCode, stderr } = await build(`alpine-${kind}`);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(code);
  });
});

/** Makes an archive of what looks like a root, and something that no root has. */
async function makeWrong(kind: string, target: string): Promise<void> {
  const folder = await mkdtemp('/var/tmp/ingot-wrong-');
  const tar = (...words: string[]): Buffer => execFileSync('tar', ['--format=gnu', ...words], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await mkdir(join(folder, 'etc'));
    await writeFile(join(folder, 'etc', kind === 'no-root' ? 'motd' : 'os-release'), 'ID=alpine\n');
    await writeFile(join(folder, 'file'), 'x'.repeat(5000));
    tar('-cf', target, './etc');
    const append = (...words: string[]): void => void tar('-rPf', target, ...words);
    if (kind === 'absolute-name') append('--transform=s,^file,/etc/shadow,', 'file');
    if (kind === 'dotted-name') append('--transform=s,^file,../../etc/shadow,', 'file');
    if (kind === 'through-link') {
      await symlink('/etc', join(folder, 'out'));
      append('out');
      append('--transform=s,^file,out/shadow,', 'file');
    }
    if (kind === 'hard-link') {
      execFileSync('ln', ['file', 'other'], { cwd: folder });
      append('--transform=flags=h;s,file,/etc/shadow,', 'file', 'other');
    }
    if (kind === 'device') {
      execFileSync('mknod', ['disk', 'b', '8', '0'], { cwd: folder });
      append('disk');
    }
    if (kind === 'cut') {
      append('file');
      execFileSync('truncate', ['-s', '4000', target]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

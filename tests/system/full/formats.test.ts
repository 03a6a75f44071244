import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ReaderRecord } from '../../support/reader-record.ts';
import { TestHome, whyNot } from '../support.ts';

/*
 * A real image in every format that its file systems matter to, read by programs that are not ours; and taken in again from every format of a disk. INGOT_TEST_HOME
 * names a home with debian-12, and is kept.
 */

const has = (program: string, flag = '--version'): boolean => spawnSync(program, [flag], { stdio: 'ignore' }).error === undefined;
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 });
const without = (missing: readonly string[]): string => (missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} not installed)`);
const lacking = (...programs: string[]): string[] => programs.filter((program) => !has(program, program === 'unsquashfs' ? '-version' : '--version'));

const CONTAINER = 'ingot-test-container';
const reason = whyNot();

describe.skipIf(reason !== undefined)(`formats of a real image${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  let home: TestHome;
  let folder: string;
  const record = new ReaderRecord();

  beforeAll(async () => {
    const kept = process.env['INGOT_TEST_HOME'];
    home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    if (kept === undefined) await home.json(['build', 'debian-12', '--no-gate', '--yes']);
    folder = await mkdtemp('/var/tmp/ingot-formats-');
  });

  afterAll(async () => {
    record.save();
    await rm(folder, { recursive: true, force: true });
    if (process.env['INGOT_TEST_HOME'] === undefined) await home[Symbol.asyncDispose]();
  });

  const exported = async (name: string, image = 'debian-12'): Promise<string> => {
    const file = join(folder, name);
    if (!existsSync(file)) await home.json(['image', 'export', image, file, '--yes']);
    return file;
  };

  const squashfs = lacking('unsquashfs', 'sqfstar');
  test.skipIf(squashfs.length > 0)(`a squashfs: unsquashfs reads its files${without(squashfs)}`, async () => {
    const file = await exported('root.squashfs');
    // Links upwards are damage for it (4.5.1), also in what mksquashfs writes.
    expect(run('unsquashfs', '-cat', file, 'usr/lib/os-release')).toContain('VERSION_ID="12"');
    expect(run('unsquashfs', '-lln', file, '/usr/bin/passwd')).toContain('-rwsr-xr-x 0/0');
    record.read('squashfs', 'unsquashfs');
  });

  test('a root file system: tar lists it, with owners and modes, and without a kernel', async () => {
    const listed = run('tar', '--zstd', '--numeric-owner', '-tvf', await exported('root.tar.zst'));
    expect(listed).toMatch(/^-rwsr-xr-x 0\/0 .* \.\/usr\/bin\/passwd$/m);
    expect(listed).not.toMatch(/ \.\/boot\/vmlinuz| \.\/(usr\/)?lib\/modules\/6/);
    record.read('lxc', 'tar', 'zstd');
  });

  test('a unified image of Incus: its description comes first, and then the root below rootfs', async () => {
    const file = await exported('web.incus.tar.gz');
    const names = run('tar', '-tzf', file).split('\n');
    expect([names[0], names.includes('rootfs/usr/bin/passwd')]).toEqual(['metadata.yaml', true]);
    expect(JSON.parse(run('tar', '-xzOf', file, 'metadata.yaml'))).toMatchObject({ architecture: 'x86_64', properties: { os: 'debian', release: '12' } });
    record.read('incus', 'tar', 'gzip');
  });

  const lxc = [...lacking('lxc-start'), ...(process.getuid?.() === 0 ? [] : ['root'])];
  test.skipIf(lxc.length > 0)(`a root file system: lxc-start starts it, and its systemd comes up${without(lxc)}`, async () => {
    const place = join(folder, 'lxc', CONTAINER);
    await mkdir(join(place, 'rootfs'), { recursive: true });
    run('tar', '--zstd', '--numeric-owner', '-xpf', await exported('root.tar.zst'), '-C', join(place, 'rootfs'));
    const config = ['lxc.include = /usr/share/lxc/config/common.conf', `lxc.rootfs.path = dir:${place}/rootfs`, 'lxc.net.0.type = empty'];
    await writeFile(join(place, 'config'), [...config, 'lxc.apparmor.profile = unconfined', ''].join('\n'));
    const at = ['-P', join(folder, 'lxc'), '-n', CONTAINER];
    run('lxc-start', ...at);
    try {
      const inside = (...argv: string[]): string => run('lxc-attach', ...at, '--', ...argv).trim();
      await expect.poll(() => spawnSync('lxc-attach', [...at, '--', 'systemctl', 'is-active', 'systemd-journald']).status, { timeout: 120_000 }).toBe(0);
      expect(inside('cat', '/proc/1/comm')).toBe('systemd');
      expect(inside('systemctl', 'list-units', '--state=failed', '--plain', '--no-legend')).toBe('');
    } finally {
      run('lxc-stop', ...at, '--kill');
    }
    record.read('lxc', 'lxc-start');
  });

  const skopeo = lacking('skopeo');
  test.skipIf(skopeo.length > 0)(`a containerDisk: skopeo copies it, and its disk is the image's${without(skopeo)}`, async () => {
    const copy = join(folder, 'layout');
    run('skopeo', 'copy', '--quiet', '--insecure-policy', `oci-archive:${await exported('web.oci.tar')}`, `oci:${copy}:x`);
    const { Layers }: { Layers: string[] } = JSON.parse(run('skopeo', 'inspect', `oci:${copy}:x`));
    run('tar', '-xf', join(copy, 'blobs/sha256', (Layers[0] ?? '').replace('sha256:', '')), '-C', folder, '--no-same-owner');
    run('qemu-img', 'compare', '-q', join(folder, 'disk/disk.qcow2'), await exported('a.qcow2'));
    record.read('container-disk', 'skopeo', 'tar', 'qemu-img');
  });

  test.each([
    ['a.qcow2', 'qcow2'],
    ['a.vmdk', 'vmdk'],
    ['a.ova', undefined],
    ['a.vhd', 'vpc'],
    ['a.vhdx', 'vhdx'],
  ])('%s is the same disk, and is taken in again as it', async (file, driver) => {
    const path = await exported(file);
    const original = await exported('a.qcow2');
    if (driver !== undefined) run('qemu-img', 'compare', '-q', '-f', driver, '-F', 'qcow2', path, original);
    const name = `again-${file.replace('a.', '')}`;
    const taken = await home.json(['image', 'import', path, '--name', name, '--force']);
    expect(taken).toMatchObject({ release: 'debian-12', size: 4 * 2 ** 30 });
    const back = join(folder, `back-${file}.qcow2`);
    await home.json(['image', 'export', name, back]);
    run('qemu-img', 'compare', '-q', '-f', 'qcow2', '-F', 'qcow2', back, original);
    expect((await stat(back)).size).toBeGreaterThan(0);
    await rm(back);
    if (file === 'a.vhdx') record.read('vhdx', 'qemu-img');
  });

  const guestfish = [...lacking('guestfish'), ...(readdirSync('/boot').some((name) => name.startsWith('vmlinuz-')) ? [] : ['a kernel in /boot'])];
  test.skipIf(guestfish.length > 0)(`guestfish finds the file systems of every disk, and reads what is there${without(guestfish)}`, async () => {
    const disks = ['qcow2', 'vmdk', 'vhd', 'vhdx'] as const;
    const files = await Promise.all(disks.map((format) => exported(`a.${format}`)));
    const reads = disks.flatMap((_, i) => {
      const root = `/dev/sd${'abcd'[i]}1`;
      return [':', 'vfs-type', root, ':', 'mount-ro', root, '/', ':', 'cat', '/etc/os-release', ':', 'umount', '/'];
    });
    // Its appliance is emulated where KVM cannot be used, and it does not find that out by itself.
    const output = execFileSync('guestfish', ['--ro', ...files.flatMap((file) => ['-a', file]), 'run', ...reads], {
      encoding: 'utf8',
      env: { ...process.env, LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' },
    });
    expect(output.match(/^ext4$/gm)).toHaveLength(disks.length);
    expect(output.match(/^VERSION_ID="12"$/gm)).toHaveLength(disks.length);
    for (const format of disks) record.read(format, 'guestfish');
  });

  test('what came as a VHDX boots, and is the same system', async () => {
    expect(await home.ingot(['vm', 'create', 'again', '--image', 'again-vhdx', '--memory', '1GiB'])).toMatchObject({ exitCode: 0 });
    try {
      const { stdout } = await home.ingot(['vm', 'exec', 'again', '--', 'sh', '-c', 'cat /etc/os-release; findmnt --noheadings --output FSTYPE /']);
      expect(stdout).toContain('VERSION_ID="12"');
      expect(stdout).toContain('ext4');
    } finally {
      await home.ingot(['vm', 'delete', 'again', '--force']);
    }
  });
});

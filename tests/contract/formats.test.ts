import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { realHost } from '../../src/base/host.ts';
import { hexOf, hostPath, parseName, type HostPath } from '../../src/base/types.ts';
import { exportImage } from '../../src/disk/export.ts';
import { identifyDisk, takeDisk } from '../../src/disk/foreign.ts';
import { chooseFormat, formatOfFile, parseOptions } from '../../src/disk/formats/table.ts';
import { readVhd } from '../../src/disk/vhd.ts';
import type { Image } from '../../src/store/model.ts';
import { ReaderRecord } from '../support/reader-record.ts';
import { exportContext } from '../support/export-context.ts';
import { sampleConfig, sampleHome, sampleLayer, type SampleHome } from '../support/sample-images.ts';

/* What is exported, read by programs that are not ours, and what they write, taken in. */

const has = (program: string, ...words: string[]): boolean =>
  spawnSync(program, words.length > 0 ? words : ['--version'], { stdio: 'ignore' }).error === undefined;
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 28 });
const without = (missing: readonly string[]): string => (missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} not installed)`);
const lacking = ['qemu-img', 'qemu-io', 'qemu-nbd', 'xz', 'zstd'].filter((program) => !has(program));

/** Bytes of the disk: no multiple of a mebibyte, nor of cylinders, heads and sectors. */
const SIZE = 40 * 2 ** 20 + 512 * 2048;

describe.skipIf(lacking.length > 0)(`formats${without(lacking)}`, () => {
  let at: SampleHome;
  let image: Image;
  let folder: string;
  let raw: Buffer;
  const record = new ReaderRecord();

  beforeAll(async () => {
    at = await sampleHome();
    folder = await mkdtemp(join(tmpdir(), 'ingot-formats-'));
    const layer = async (parent: Parameters<typeof sampleLayer>[1], writes: readonly string[]) => {
      const path = hostPath(join(at.home.run, 'layer.qcow2'));
      run('qemu-img', 'create', '-q', '-f', 'qcow2', ...(parent === undefined ? [] : ['-u', '-b', hexOf(parent), '-F', 'qcow2']), path, String(SIZE));
      const below = parent === undefined ? null : { driver: 'qcow2', file: { driver: 'file', filename: at.home.blob(parent) } };
      for (const write of writes)
        run('qemu-io', '-c', write, `json:${JSON.stringify({ driver: 'qcow2', file: { driver: 'file', filename: path }, backing: below })}`);
      return await at.store.commitLayer(path, { ...sampleLayer(parent === undefined ? 'base' : 'top', parent), virtualSize: SIZE });
    };
    const base = await layer(undefined, ['write -P 1 0 64k', 'write -P 1 1M 200k', `write -P 5 ${SIZE - 512} 512`]);
    const top = await layer(base.digest, ['write -P 2 1M 64k', 'write -P 3 33M 100k']);
    const config = sampleConfig([base, top]);
    config['dev.ingot.image'].disk.size = SIZE;
    image = await at.store.putImage(config, [base, top], parseName('web', 'an image'), ['latest', '1.0']);
    raw = await readFile(await exported('d.raw'));
    expect([raw.length, raw[0], raw[2 ** 20], raw[2 ** 20 + 70_000], raw[33 * 2 ** 20], raw[SIZE - 1]]).toEqual([SIZE, 1, 2, 1, 3, 5]);
  }, 240_000);

  afterAll(async () => {
    record.save();
    await at[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function exported(name: string, ...options: string[]): Promise<HostPath> {
    const file = hostPath(join(folder, name));
    await exportImage(exportContext(at), image, file, { format: chooseFormat(name, undefined, parseOptions(options)), force: true });
    expect((await at.host.files.list(folder)).filter((one) => one.endsWith('.part'))).toEqual([]);
    return file;
  }

  /** The disk in a file, as qemu-img reads it. */
  async function asRaw(path: string, driver: string): Promise<Buffer> {
    const out = join(folder, 'back.img');
    run('qemu-img', 'convert', '-f', driver, '-O', 'raw', path, out);
    return await readFile(out);
  }

  test.each([
    ['a.qcow2', 'qcow2', []],
    ['old.qcow2', 'qcow2', ['compat=0.10']],
    ['plain.qcow2', 'qcow2', ['compression=none']],
    ['a.vmdk', 'vmdk', []],
    ['sparse.vmdk', 'vmdk', ['layout=sparse']],
    ['a.vhdx', 'vhdx', []],
    ['fixed.vhdx', 'vhdx', ['layout=fixed']],
    ['a.vhd', 'vpc', []],
    ['fixed.vhd', 'vpc', ['layout=fixed']],
  ])(
    '%s: qemu-img reads the same disk',
    async (name, driver, options) => {
      const file = await exported(name, ...options);
      const back = await asRaw(file, driver);
      expect(back.subarray(0, SIZE).equals(raw)).toBe(true);
      expect(back.subarray(SIZE).every((byte) => byte === 0)).toBe(true);
      if (driver !== 'vpc') run('qemu-img', 'check', '-q', '-f', driver, file);
      record.read(formatOfFile(name), 'qemu-img');
    },
    120_000,
  );

  test('the size of a VHD is a whole number of mebibytes, in bytes, as Azure and XenServer want it', async () => {
    for (const layout of ['fixed', 'dynamic']) {
      const { size, kind } = await readVhd(at.host.files, await exported('size.vhd', `layout=${layout}`));
      expect([size, kind]).toEqual([Math.ceil(SIZE / 2 ** 20) * 2 ** 20, layout]);
    }
  }, 120_000);

  test.each([
    ['a.raw.gz', 'gzip'],
    ['a.raw.xz', 'xz'],
    ['a.img.zst', 'zstd'],
  ] as const)(
    '%s: %s unpacks the same disk',
    async (name, program) => {
      const file = await exported(name);
      expect(execFileSync(program, ['-dc', file], { maxBuffer: 2 ** 28 }).equals(raw)).toBe(true);
      run(program, '-t', file);
      record.read('raw', program);
    },
    120_000,
  );

  test('a package: tar unpacks it, its sums are those of sha256sum, and its disk is the same', async () => {
    const file = await exported('web server.ova');
    run('tar', '-xf', file, '-C', folder);
    expect(run('tar', '-tf', file).trim().split('\n')).toEqual(['web-server.ovf', 'web-server.mf', 'web-server-disk1.vmdk']);
    const sums = (await readFile(join(folder, 'web-server.mf'), 'utf8')).replaceAll(/^SHA256\((.*)\)= (.*)$/gm, '$2  $1');
    await writeFile(join(folder, 'sums'), sums);
    execFileSync('sha256sum', ['--check', '--quiet', 'sums'], { cwd: folder });
    expect((await asRaw(join(folder, 'web-server-disk1.vmdk'), 'vmdk')).equals(raw)).toBe(true);
    expect(await readFile(join(folder, 'web-server.ovf'), 'utf8')).toContain('<rasd:ResourceSubType>VmxNet3</rasd:ResourceSubType>');
    record.read('ova', 'tar', 'sha256sum', 'qemu-img');
  }, 120_000);

  const xmllint = [...(has('xmllint', '--version') ? [] : ['xmllint'])];
  test.skipIf(xmllint.length > 0)(
    `the descriptor of a package is well-formed for xmllint${without(xmllint)}`,
    async () => {
      run('tar', '-xf', await exported('lint.ova'), '-C', folder, 'lint.ovf');
      run('xmllint', '--noout', '--nonet', join(folder, 'lint.ovf'));
      record.read('ova', 'xmllint');
    },
    120_000,
  );

  const schema = process.env['INGOT_OVF_SCHEMA'] ?? '';
  const reason = schema === '' ? ' (skipped: INGOT_OVF_SCHEMA names no copy of DSP8023)' : without(xmllint);
  test.skipIf(reason !== '')(
    `the descriptor of a package is what the schema of DMTF asks for${reason}`,
    async () => {
      run('tar', '-xf', await exported('valid.ova'), '-C', folder, 'valid.ovf');
      run('xmllint', '--noout', '--nonet', '--schema', schema, join(folder, 'valid.ovf'));
    },
    120_000,
  );

  const skopeo = [...(has('skopeo') ? [] : ['skopeo'])];
  test.skipIf(skopeo.length > 0)(
    `a containerDisk: skopeo copies it, and its layer holds the disk for the user 107${without(skopeo)}`,
    async () => {
      const file = await exported('a.oci.tar');
      const copy = join(folder, 'layout');
      run('skopeo', 'copy', '--quiet', '--insecure-policy', `oci-archive:${file}`, `oci:${copy}:x`);
      const { Layers }: { Layers: string[] } = JSON.parse(run('skopeo', 'inspect', `oci:${copy}:x`));
      expect(Layers).toHaveLength(1);
      const layer = join(copy, 'blobs/sha256', (Layers[0] ?? '').replace('sha256:', ''));
      expect(run('tar', '-tvf', layer, '--numeric-owner')).toMatch(/^drwxr-xr-x 107\/107 .* disk\/\n-r--r----- 107\/107 .* disk\/disk\.qcow2\n$/);
      run('tar', '-xf', layer, '-C', folder, '--no-same-owner');
      expect((await asRaw(join(folder, 'disk/disk.qcow2'), 'qcow2')).equals(raw)).toBe(true);
      record.read('container-disk', 'skopeo', 'tar', 'qemu-img');
    },
    120_000,
  );

  test('a folder to be served has sums that hold, also for what another image left there', async () => {
    const served = hostPath(join(folder, 'public'));
    for (const file of ['qcow2', 'raw.zst']) {
      await exportImage(exportContext(at), image, served, { format: chooseFormat('public', 'web', { file }), force: false });
    }
    execFileSync('sha256sum', ['--check', '--quiet', '--strict', 'SHA256SUMS'], { cwd: served });
    expect(await at.host.files.list(served)).toEqual(['SHA256SUMS', 'web-1.0-amd64.qcow2', 'web-1.0-amd64.raw.zst']);
    record.read('web', 'sha256sum');
  }, 120_000);

  test.each(['a.vmdk', 'a.vhdx', 'a.vhd', 'fixed.vhd', 'web server.ova', 'old.qcow2'])(
    '%s is taken in again as the same disk',
    async (name) => {
      const disk = await identifyDisk(realHost().files, hostPath(join(folder, name)));
      const layer = hostPath(join(folder, 'layer.qcow2'));
      await takeDisk(realHost(), disk, layer, new AbortController().signal);
      const back = await asRaw(layer, 'qcow2');
      expect(back.subarray(0, SIZE).equals(raw)).toBe(true);
      await rm(layer);
    },
    120_000,
  );

  test('what does not read back as the image gets no name', async () => {
    const { processes } = at.host;
    const lying: typeof processes = {
      ...processes,
      run: async (argv, options) =>
        argv[1] === 'compare' ? { stdout: 'Content mismatch at offset 0!', stderr: '', exitCode: 1 } : await processes.run(argv, options),
    };
    const context = { ...exportContext(at), host: { ...at.host, processes: lying } };
    const file = hostPath(join(folder, 'never.vmdk'));
    await expect(exportImage(context, image, file, { format: chooseFormat(file, undefined), force: false })).rejects.toHaveProperty('code', 'export-differs');
    expect(existsSync(file)).toBe(false);
  }, 120_000);
});

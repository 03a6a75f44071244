import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realHost } from '../../src/base/host.ts';
import { hexOf, hostPath, parseName } from '../../src/base/types.ts';
import { exportImage } from '../../src/disk/export.ts';
import { chooseFormat } from '../../src/disk/formats/table.ts';
import { emptyQcow2, parseQcow2Header, readQcow2Header, setBacking } from '../../src/disk/qcow2.ts';
import { exportContext } from '../support/export-context.ts';
import { putSampleImage, sampleConfig, sampleGate, sampleHome, sampleLayer, type SampleHome } from '../support/sample-images.ts';

/* The store against the programs whose formats it keeps to: skopeo for the OCI image layout, qemu-img for qcow2. */

const has = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

describe.skipIf(!has('skopeo'))('skopeo (skipped where it is not installed)', () => {
  test('reads the store as an OCI layout, gate statements and siblings included', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest', '20260101']);
    await putSampleImage(at.store, at.home, 'web', ['latest']);
    await at.store.addGate(image, sampleGate('passed'));
    for (const tag of ['latest', '20260101']) {
      const told: { Digest: string; Layers: string[]; Architecture: string; Labels: Record<string, string> } = JSON.parse(
        run('skopeo', 'inspect', `oci:${at.home.store}:debian-12:${tag}`),
      );
      expect(told).toMatchObject({
        Digest: image.digest,
        Layers: image.layers.map((layer) => layer.digest),
        Architecture: 'amd64',
        Labels: { purpose: 'sample' },
      });
    }
    const config: unknown = JSON.parse(run('skopeo', 'inspect', '--config', `oci:${at.home.store}:debian-12:latest`));
    expect(config).toMatchObject({ rootfs: { type: 'layers', diff_ids: image.layers.map((layer) => layer.digest) } });
  });

  test('copies an image to another layout, byte for byte', async () => {
    await using at = await sampleHome();
    const image = await putSampleImage(at.store, at.home, 'debian-12', ['latest']);
    const copy = join(at.home.root, 'copy');
    run('skopeo', 'copy', '--quiet', '--insecure-policy', `oci:${at.home.store}:debian-12:latest`, `oci:${copy}:x:y`);
    for (const digest of [image.digest, image.id, ...image.layers.map((layer) => layer.digest)]) {
      expect(await readFile(join(copy, 'blobs/sha256', hexOf(digest)))).toEqual(await readFile(at.home.blob(digest)));
    }
  });
});

describe.skipIf(!has('qemu-img'))('qemu-img (skipped where it is not installed)', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'ingot-qcow2-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each([9, 12, 16, 21])('accepts an empty file with clusters of 2^%i bytes', async (clusterBits) => {
    const path = join(folder, 'a.qcow2');
    await writeFile(path, emptyQcow2({ virtualSize: 2 ** 20, clusterBits }));
    run('qemu-img', 'check', '-f', 'qcow2', path);
    expect(JSON.parse(run('qemu-img', 'info', '--output=json', path))).toMatchObject({
      'virtual-size': 2 ** 20,
      'cluster-size': 2 ** clusterBits,
      format: 'qcow2',
    });
  });

  test('makes files that our reader accepts, whatever the options, and reads the backing name that we write', async () => {
    const { files } = realHost();
    const base = join(folder, 'base.qcow2');
    for (const options of ['compat=0.10', 'compat=1.1', 'compat=v3,compression_type=zstd', 'cluster_size=2M', 'extended_l2=on,cluster_size=128k']) {
      await rm(base, { force: true });
      run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', options, base, '3G');
      expect((await readQcow2Header(files, base)).virtualSize).toBe(3 * 2 ** 30);
    }
    const top = join(folder, 'top.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
    expect((await readQcow2Header(files, top)).backing).toEqual({ name: base, format: 'qcow2' });
    await setBacking(files, top, { name: 'base.qcow2', format: 'qcow2' });
    expect(JSON.parse(run('qemu-img', 'info', '--output=json', top))).toMatchObject({ 'backing-filename': 'base.qcow2', 'backing-filename-format': 'qcow2' });
    run('qemu-img', 'check', top);
  });

  test('makes files with the external data that our reader refuses', async () => {
    const path = join(folder, 'a.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', `data_file=${join(folder, 'data.raw')}`, path, '1M');
    await expect(readQcow2Header(realHost().files, path)).rejects.toThrow(/another file/);
  });

  const RAW = chooseFormat('a.raw', undefined);

  describe.skipIf(!has('qemu-io'))('export (skipped where qemu-io is not installed)', () => {
    const SIZE = 4 * 2 ** 20;

    /** A chain of two layers with bytes that can be told apart: 1 below at 0 and 1M, 2 on top at 1M. */
    async function chain(at: SampleHome) {
      const make = async (parent: Parameters<typeof sampleLayer>[1], writes: string[]) => {
        const path = hostPath(join(at.home.run, 'layer.qcow2'));
        run('qemu-img', 'create', '-q', '-f', 'qcow2', ...(parent === undefined ? [] : ['-u', '-b', hexOf(parent), '-F', 'qcow2']), path, String(SIZE));
        // The backing file is named relative to the blobs, where qemu-io cannot find it from here.
        const open =
          parent === undefined
            ? path
            : `json:${JSON.stringify({ driver: 'qcow2', file: { driver: 'file', filename: path }, backing: { driver: 'qcow2', file: { driver: 'file', filename: at.home.blob(parent) } } })}`;
        for (const write of writes) run('qemu-io', '-c', write, open);
        return await at.store.commitLayer(path, { ...sampleLayer(parent === undefined ? 'base' : 'top', parent), virtualSize: SIZE });
      };
      const base = await make(undefined, ['write -P 1 0 64k', 'write -P 1 1M 64k']);
      const top = await make(base.digest, ['write -P 2 1M 64k']);
      const config = sampleConfig([base, top]);
      config['dev.ingot.image'].disk.size = SIZE;
      return await at.store.putImage(config, [base, top], parseName('web', 'an image'), ['latest']);
    }

    test.each(['qcow2', 'raw'] as const)('%s is flat, whole, and leaves nothing beside it', async (format) => {
      await using at = await sampleHome();
      const image = await chain(at);
      const target = hostPath(join(folder, `out.${format}`));
      const percents: number[] = [];
      const dead = join(folder, `.out.${format}.0123456789ab.part`);
      await writeFile(dead, 'left by a killed export');
      await exportImage(exportContext(at), image, target, { format: chooseFormat('', format), force: false, onProgress: (percent) => percents.push(percent) });
      const raw = join(folder, 'check.img');
      run('qemu-img', 'convert', '-f', format, '-O', 'raw', target, raw);
      const bytes = await readFile(raw);
      expect([bytes.length, bytes[0], bytes[65_535], bytes[65_536], bytes[2 ** 20]]).toEqual([SIZE, 1, 1, 0, 2]);
      expect(percents.at(-1)).toBe(100);
      expect(existsSync(dead)).toBe(false);
      expect(await at.host.files.list(folder)).toEqual(['check.img', `out.${format}`].toSorted());
      expect(await at.host.files.list(at.home.run)).toEqual([]);
      if (format === 'qcow2') expect(parseQcow2Header(await readFile(target))).toMatchObject({ backing: undefined, compression: 'zstd' });
      else expect((await stat(target)).blocks * 512).toBeLessThan(SIZE / 2);

      await expect(exportImage(exportContext(at), image, target, { format: chooseFormat('', format), force: false })).rejects.toMatchObject({
        code: 'file-exists',
      });
      await writeFile(target, 'old');
      await exportImage(exportContext(at), image, target, { format: chooseFormat('', format), force: true });
      expect((await stat(target)).size).toBeGreaterThan(1000);
    });

    test('follows no header: a backing name that leads elsewhere is not opened', async () => {
      await using at = await sampleHome();
      const image = await chain(at);
      const secret = join(folder, 'secret.qcow2');
      run('qemu-img', 'create', '-q', '-f', 'qcow2', secret, String(SIZE));
      run('qemu-io', '-c', 'write -P 9 2M 64k', secret);
      const top = at.home.blob(image.layers[1]!.digest);
      await at.host.files.setMode(top, 0o644);
      await setBacking(at.host.files, top, { name: secret, format: 'qcow2' });
      const target = hostPath(join(folder, 'out.raw'));
      await exportImage(exportContext(at), image, target, { format: RAW, force: false });
      const bytes = await readFile(target);
      expect([bytes[0], bytes[2 ** 20], bytes[2 * 2 ** 20]]).toEqual([1, 2, 0]);
    });

    test('that fails, or is stopped, leaves no file', async () => {
      await using at = await sampleHome();
      const image = await chain(at);
      const target = hostPath(join(folder, 'out.raw'));
      await expect(exportImage({ ...exportContext(at), signal: AbortSignal.abort() }, image, target, { format: RAW, force: false })).rejects.toThrow();
      await at.host.files.setMode(at.home.blob(image.layers[0]!.digest), 0o644);
      await at.host.files.truncate(at.home.blob(image.layers[0]!.digest), 10);
      await expect(exportImage(exportContext(at), image, target, { format: RAW, force: false })).rejects.toMatchObject({
        code: 'command-failed',
        detail: expect.stringContaining('qemu-img convert'),
      });
      await expect(exportImage(exportContext(at), image, hostPath(join(folder, 'no/out.raw')), { format: RAW, force: false })).rejects.toMatchObject({
        code: 'folder-missing',
      });
      await expect(exportImage(exportContext(at), image, hostPath(folder), { format: RAW, force: true })).rejects.toMatchObject({ code: 'file-exists' });
      expect(await at.host.files.list(folder)).toEqual([]);
    });
  });
});

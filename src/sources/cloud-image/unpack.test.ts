import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { realHost } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { packingOf } from '../../disk/foreign.ts';
import { tarHeader, tarPadding } from '../../store/tar.ts';
import { unpack, type UnpackOptions } from './unpack.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'unpack-'))));
afterEach(() => rm(folder, { recursive: true }));

const host = realHost();
const signal = new AbortController().signal;

async function unpacked(content: Uint8Array, options: Omit<UnpackOptions, 'signal'>): Promise<HostPath> {
  const path = hostPath(join(folder, 'packed'));
  const target = hostPath(join(folder, 'whole'));
  await writeFile(path, content);
  await unpack(host, path, target, { ...options, signal });
  return target;
}

describe('what is packed', () => {
  const disk = Buffer.concat([Buffer.from('begin'), Buffer.alloc(3 * 2 ** 20), Buffer.from('end')]);

  test('is unpacked, with holes for zeros', async () => {
    const path = await unpacked(gzipSync(disk), { packing: 'gz' });
    expect((await readFile(path)).equals(disk)).toBe(true);
    expect((await stat(path)).blocks * 512).toBeLessThan(2 ** 20);
  });

  test('is told by its first bytes', async () => {
    const packed = hostPath(join(folder, 'packed'));
    await writeFile(packed, gzipSync(disk));
    expect(await packingOf(host.files, packed)).toBe('gz');
    await writeFile(packed, Buffer.concat([tarHeader('disk.raw', 4), Buffer.from('disk'), tarPadding(4)]));
    expect(await packingOf(host.files, packed)).toBe('tar');
    await writeFile(packed, disk);
    expect(await packingOf(host.files, packed)).toBe(undefined);
  });

  test('and is one file of an archive, is taken out of it', async () => {
    const end = Buffer.alloc(1024);
    const archive = Buffer.concat([
      tarHeader('readme', 2),
      Buffer.from('hi'),
      tarPadding(2),
      tarHeader('disk-123.raw', 4),
      Buffer.from('disk'),
      tarPadding(4),
      end,
    ]);
    const path = await unpacked(gzipSync(archive), { packing: 'gz', member: 'disk-*.raw' });
    expect(await readFile(path, 'utf8')).toBe('disk');
    await expect(unpacked(gzipSync(archive), { packing: 'gz', member: 'other' })).rejects.toHaveProperty('code', 'unpack-failed');
  });

  test.skipIf(!existsSync('/usr/bin/zstd'))('by zstd, too', async () => {
    expect(await readFile(await unpacked(zstdCompressSync(Buffer.from('disk')), { packing: 'zst' }), 'utf8')).toBe('disk');
  });

  test('is refused where it was cut off', async () => {
    await expect(unpacked(gzipSync(disk).subarray(0, 2000), { packing: 'gz' })).rejects.toHaveProperty('code', 'unpack-failed');
  });

  test('and made to fill a disk, is refused before it does', async () => {
    const bomb = gzipSync(Buffer.alloc(400 * 2 ** 20, 'x'));
    await expect(unpacked(bomb, { packing: 'gz' })).rejects.toMatchObject({ code: 'unpack-too-large' });
    expect((await stat(join(folder, 'whole'))).size).toBeLessThan(320 * 2 ** 20);
  });
});

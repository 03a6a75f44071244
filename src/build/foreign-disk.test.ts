import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultServer } from '../../tests/support/fault-server.ts';
import { sampleContext } from '../../tests/support/sample-builds.ts';
import { commitSampleLayers, sampleConfig, sampleHome, sampleLayer, sampleLayerFile, type SampleHome } from '../../tests/support/sample-images.ts';
import { keyOf } from '../base/hash.ts';
import { hostPath, parseName } from '../base/types.ts';
import { emptyQcow2 } from '../disk/qcow2.ts';
import { storedDisk } from './foreign-disk.ts';

const online = { offline: false };
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** An image as taking in a disk with this hash leaves it. */
async function taken(at: SampleHome, name: string, hex: string): Promise<string> {
  const key = keyOf({ format: 1, source: 'disk', sha256: hex });
  const record = await at.store.commitLayer(await sampleLayerFile(at.home), { ...sampleLayer(name), key });
  const tag = `file-${hex.slice(0, 12)}`;
  await at.store.putImage(sampleConfig([record], name), [record], parseName(name, 'an image'), [tag]);
  return `${name}:${tag}`;
}

describe('storedDisk', () => {
  test('a disk that is in the store is found by its hash, without opening or downloading anything', async () => {
    await using at = await sampleHome();
    const context = sampleContext(at);
    const bytes = emptyQcow2({ virtualSize: 2 ** 20 });
    const path = hostPath(join(at.home.root, 'My Disk (1).QCOW2'));
    await writeFile(path, bytes);
    const reference = await taken(at, 'my-disk-1', sha256(bytes));
    expect(await storedDisk(context, { kind: 'file', path }, online)).toBe(reference);
    const url = { kind: 'url', url: 'https://example.org/a/my-disk-1.qcow2?x=1', sha256: sha256(bytes).toUpperCase() } as const;
    expect(await storedDisk(context, url, { offline: true })).toBe(reference);
  });

  test('another image under the same name and tag is not taken for it', async () => {
    await using at = await sampleHome();
    const hex = 'ab'.repeat(32);
    const records = await commitSampleLayers(at.store, at.home, ['one']);
    await at.store.putImage(sampleConfig(records, 'disk'), records, parseName('disk', 'an image'), [`file-${hex.slice(0, 12)}`]);
    const url = { kind: 'url', url: 'https://example.org/disk.qcow2', sha256: hex } as const;
    await expect(storedDisk(sampleContext(at), url, { offline: true })).rejects.toHaveProperty('code', 'offline-missing');
  });

  test.each([
    ['of which QEMU would read any file', emptyQcow2({ virtualSize: 2 ** 20, backing: { name: '/etc/shadow', format: 'raw' } }), 'qcow2-invalid'],
    ['that is none', Buffer.from('<html>not found</html>'), 'disk-unknown'],
  ])('a disk %s is refused, and nothing of it is kept', async (_what, bytes, code) => {
    await using at = await sampleHome();
    const path = hostPath(join(at.home.root, 'bad.qcow2'));
    await writeFile(path, bytes);
    await expect(storedDisk(sampleContext(at), { kind: 'file', path }, online)).rejects.toHaveProperty('code', code);
    expect(await at.host.files.list(at.home.run)).toEqual([]);
    expect(await at.host.files.list(at.home.blobs)).toEqual([]);
  });

  test('what is downloaded must have the hash that the template says', async () => {
    await using at = await sampleHome();
    await using server = await faultServer();
    server.files.set('/disk.qcow2', { bytes: Buffer.from('something else') });
    const url = { kind: 'url', url: `${server.url}/disk.qcow2`, sha256: 'ab'.repeat(32) } as const;
    await expect(storedDisk(sampleContext(at), url, online)).rejects.toHaveProperty('code', 'download-mismatch');
    expect(await at.host.files.list(at.home.disks)).toEqual([]);
  });

  test('a file that is not there is named', async () => {
    await using at = await sampleHome();
    await expect(storedDisk(sampleContext(at), { kind: 'file', path: hostPath('/nowhere/disk.raw') }, online)).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('/nowhere/disk.raw'),
    });
  });
});

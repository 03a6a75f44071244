import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryDisk, sparseBytes } from '../../../tests/support/memory-disk.ts';
import { quickHost } from '../../../tests/support/sample-images.ts';
import { hostFiles } from '../../base/files.ts';
import { readOva } from '../ova.ts';
import { readVmdkHeader } from '../vmdk.ts';
import { Appender } from './appender.ts';
import { writeCompressed, type Compression } from './compressed.ts';
import { writeOva } from './ova.ts';
import { ovfDescriptor, ovfSystem } from './ovf.ts';
import { writeVmdkStream } from './vmdk-stream.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'formats-'))));
afterEach(() => rm(folder, { recursive: true }));

const host = quickHost();
const options = { name: 'd.vmdk', contentId: '71234567', adapter: 'lsilogic', width: 4 } as const;

const disks = fc
  .record({
    sectors: fc.integer({ min: 1, max: 6_000 }),
    writes: fc.array(fc.record({ at: fc.nat(3_000_000), length: fc.integer({ min: 1, max: 200_000 }), value: fc.nat(255) }), { maxLength: 6 }),
  })
  .map(({ sectors, writes }) => sparseBytes(512 * sectors, writes));

/** A reader of stream-optimised VMDK that knows nothing of the writer: it follows footer, directory and tables. */
function readStream(file: Buffer): Buffer {
  const footer = file.subarray(file.length - 1024, file.length - 512);
  const sectors = Number(footer.readBigUInt64LE(12));
  const directoryAt = Number(footer.readBigUInt64LE(56)) * 512;
  const disk = Buffer.alloc(Math.ceil(sectors / 128) * 65_536);
  for (let i = 0; i < Math.ceil(sectors / (128 * 512)); i++) {
    const table = file.readUInt32LE(directoryAt + 4 * i) * 512;
    for (let j = 0; table !== 0 && j < 512; j++) {
      const grain = file.readUInt32LE(table + 4 * j) * 512;
      if (grain === 0) continue;
      expect(Number(file.readBigUInt64LE(grain))).toBe((512 * i + j) * 128);
      disk.set(inflateSync(file.subarray(grain + 12, grain + 12 + file.readUInt32LE(grain + 8))), (512 * i + j) * 65_536);
    }
  }
  return disk.subarray(0, sectors * 512);
}

async function written(write: (out: Appender) => Promise<unknown>): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const path = join(folder, 'out');
  await writeFile(path, '');
  const out = new Appender(host.files, path);
  await write(out);
  await out.flush();
  return { path, bytes: await readFile(path) };
}

test('a stream-optimised VMDK reads back as the disk, by its own tables', async () => {
  await fc.assert(
    fc.asyncProperty(disks, async (disk) => {
      const { path, bytes } = await written((out) => writeVmdkStream(memoryDisk(disk), out, options));
      expect(bytes.length % 512).toBe(0);
      expect(readStream(bytes).equals(disk)).toBe(true);
      expect(await readVmdkHeader(hostFiles, path)).toEqual({ virtualSize: disk.length, createType: 'streamOptimized' });
    }),
    { numRuns: 20 },
  );
});

test('a disk with several grain tables, of which some are empty', async () => {
  const disk = sparseBytes(100 * 2 ** 20, [
    { at: 5, length: 10, value: 1 },
    { at: 99 * 2 ** 20, length: 70_000, value: 3 },
  ]);
  const { bytes } = await written((out) => writeVmdkStream(memoryDisk(disk), out, options));
  expect(readStream(bytes).equals(disk)).toBe(true);
  expect(bytes.length).toBeLessThan(100_000);
});

const unpack: Readonly<Record<Compression, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes),
  zstd: (bytes) => zstdDecompressSync(bytes),
  xz: (bytes) => execFileSync('xz', ['-dc'], { input: bytes, maxBuffer: 2 ** 30 }),
};
const lacking = (name: Compression): string => (name !== 'xz' || existsSync('/usr/bin/xz') ? '' : ' (skipped: xz is not installed)');

for (const compression of ['gzip', 'zstd', 'xz'] as const) {
  test.skipIf(lacking(compression) !== '')(`${compression} unpacks to the disk, zeros included${lacking(compression)}`, async () => {
    const disk = sparseBytes(17 * 2 ** 20 + 512, [
      { at: 3 * 2 ** 20 - 100, length: 5000, value: 9 },
      { at: 9 * 2 ** 20, length: 2 ** 18, value: 7 },
      { at: 17 * 2 ** 20, length: 512, value: 2 },
    ]);
    const { bytes } = await written((out) => writeCompressed(host, memoryDisk(disk), out, { compression, width: 3 }));
    expect(unpack[compression](bytes).equals(disk)).toBe(true);
    const again = await written((out) => writeCompressed(host, memoryDisk(disk), out, { compression, width: 1 }));
    expect(again.bytes.equals(bytes)).toBe(true);
  });
}

const machine = {
  name: 'web',
  description: 'a <b> & "c"\u0001',
  cpus: 2,
  memory: 2048,
  controller: 'pvscsi',
  network: 'vmxnet3',
  firmware: 'bios',
  system: ovfSystem('debian-12'),
} as const;

test('a package is what its own reader takes: descriptor, manifest and disk agree', async () => {
  await fc.assert(
    fc.asyncProperty(disks, async (disk) => {
      const path = join(folder, 'p.ova');
      const part = await writeOva(host, memoryDisk(disk), path, { ...options, machine });
      expect(await readOva(hostFiles, path)).toEqual(part);
      const bytes = await readFile(path);
      expect(readStream(bytes.subarray(part.position, part.position + part.size)).equals(disk)).toBe(true);
      expect(bytes.length % 512).toBe(0);
    }),
    { numRuns: 8 },
  );
});

test('a bit that flipped, a package that was cut off, and one without its disk are refused', async () => {
  const path = join(folder, 'p.ova');
  const part = await writeOva(host, memoryDisk(sparseBytes(2 ** 20, [{ at: 0, length: 90_000, value: 1 }])), path, { ...options, machine });
  const whole = await readFile(path);
  const refused = async (bytes: Buffer): Promise<unknown> => {
    await writeFile(path, bytes);
    return await readOva(hostFiles, path).catch((error: unknown) => error);
  };
  const flipped = Buffer.from(whole);
  flipped[part.position + 70_000] = (flipped[part.position + 70_000] ?? 0) ^ 1;
  expect(await refused(flipped)).toMatchObject({ code: 'ova-invalid', message: expect.stringContaining('does not have the sum') });
  for (const length of [0, 100, 512, 2000, part.position, part.position + 1000]) {
    expect(await refused(whole.subarray(0, length))).toHaveProperty('code', 'ova-invalid');
  }
  expect(await refused(Buffer.concat([whole.subarray(0, part.position - 512), Buffer.alloc(1024)]))).toHaveProperty('code', 'ova-invalid');
});

test('the descriptor holds what a name or description brings along as text', () => {
  const text = ovfDescriptor({ ...machine, name: 'a<&">', disk: { file: 'a.vmdk', fileSize: 1, capacity: 512, populated: 0 } });
  expect(text).toContain('ovf:id="a&lt;&amp;&quot;&gt;"');
  expect(text).toContain('a &lt;b&gt; &amp; &quot;c&quot; ');
  expect(text).toContain('<rasd:ResourceSubType>VirtualSCSI</rasd:ResourceSubType>');
  expect(ovfSystem('arch').id).toBe(101);
});

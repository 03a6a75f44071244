import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { hostFiles } from '../base/files.ts';
import { realHost } from '../base/host.ts';
import { hostPath, type HostPath } from '../base/types.ts';
import { identifyDisk, takeDisk } from './foreign.ts';
import { emptyQcow2, readQcow2Header } from './qcow2.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'foreign-'))));
afterEach(() => rm(folder, { recursive: true }));

async function file(content: Uint8Array | string): Promise<HostPath> {
  const path = hostPath(join(folder, 'disk'));
  await writeFile(path, content);
  return path;
}

function iso(): Buffer {
  const bytes = Buffer.alloc(40_000);
  bytes.write('CD001', 32_769);
  bytes.write('EFI PART', 512);
  return bytes;
}

const SIZE = 64 * 2 ** 20;
const identify = async (content: Uint8Array | string): Promise<unknown> => await identifyDisk(hostFiles, await file(content));

describe('identifyDisk', () => {
  test('takes a whole qcow2 and a raw disk with a partition table', async () => {
    expect(await identify(emptyQcow2({ virtualSize: SIZE }))).toMatchObject({ format: 'qcow2', size: SIZE });
    const raw = Buffer.alloc(4096 + 100);
    raw.write('EFI PART', 512);
    expect(await identify(raw)).toMatchObject({ format: 'raw', size: 4608 });
  });

  test.each<[string, (disk: Buffer) => void]>([
    ['an older partition table', (disk) => void (disk.writeUInt16BE(0x55aa, 510), disk.writeUInt8(0x83, 450), disk.writeUInt32LE(2048, 458))],
    ['ext4 on the whole disk', (disk) => void disk.writeUInt16LE(0xef53, 1080)],
    ['xfs on the whole disk', (disk) => void disk.write('XFSB', 0)],
    ['btrfs on the whole disk', (disk) => void disk.write('_BHRfS_M', 65_600)],
  ])('takes a raw disk with %s', async (_what, change) => {
    const disk = Buffer.alloc(70_144);
    change(disk);
    expect(await identify(disk)).toMatchObject({ format: 'raw' });
  });

  test('does not take a boot sector with an empty table for a disk', async () => {
    const disk = Buffer.alloc(4096);
    disk.writeUInt16BE(0x55aa, 510);
    await expect(identify(disk)).rejects.toHaveProperty('code', 'disk-unknown');
  });

  test('refuses a qcow2 that stands on another file, of which QEMU would read whatever it names', async () => {
    await expect(identify(emptyQcow2({ virtualSize: SIZE, backing: { name: '/etc/shadow', format: 'raw' } }))).rejects.toMatchObject({
      code: 'qcow2-invalid',
      message: expect.stringContaining('/etc/shadow'),
    });
  });

  test('refuses data in another file, encryption, and sizes beyond all reason', async () => {
    const external = Buffer.from(emptyQcow2({ virtualSize: SIZE }));
    external.writeBigUInt64BE(4n, 72);
    await expect(identify(external)).rejects.toHaveProperty('code', 'qcow2-invalid');
    const encrypted = Buffer.from(emptyQcow2({ virtualSize: SIZE }));
    encrypted.writeUInt32BE(1, 32);
    await expect(identify(encrypted)).rejects.toHaveProperty('code', 'qcow2-invalid');
    await expect(identify(emptyQcow2({ virtualSize: 3 * 2 ** 40, clusterBits: 21 }))).rejects.toHaveProperty('code', 'disk-too-large');
  });

  test.each([
    ['# Disk DescriptorFile\n', 'the descriptor of a VMDK disk'],
    ['<<< Oracle', 'VirtualBox'],
    [iso(), 'an installer'],
    ['#!/bin/sh\n', 'nor a raw disk'],
    ['', 'nor a raw disk'],
  ])('names what else a file is', async (content, what) => {
    await expect(identify(content)).rejects.toMatchObject({ code: 'disk-unknown', message: expect.stringContaining(what) });
  });

  test('whatever the bytes are, the answer is a disk or one of its errors', async () => {
    const start = emptyQcow2({ virtualSize: SIZE });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(110), fc.nat(255)), { maxLength: 6 }), async (changes) => {
        const bytes = Buffer.from(start);
        for (const [at, value] of changes) bytes[at] = value;
        const path = await file(bytes);
        try {
          expect((await identifyDisk(hostFiles, path)).size).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(IngotError);
          expect(['qcow2-invalid', 'disk-unknown', 'disk-too-large']).toContain(error instanceof IngotError ? error.code : '');
        }
      }),
    );
  });
});

const CLUSTER = 2 ** 16;
/** Entries of a table of the second level, and how many such tables the disk below has. */
const ENTRIES = CLUSTER / 8;
const TABLES = 4;

/** A disk of 2 GiB whose every cluster is the same one, which nothing compresses: 400 kB that stand for all of it, with all counts right. */
function bomb(): Buffer {
  const head = Buffer.from(emptyQcow2({ virtualSize: TABLES * ENTRIES * CLUSTER }));
  const table = Buffer.alloc(CLUSTER);
  for (let i = 0; i < ENTRIES; i++) table.writeBigUInt64BE(BigInt(5 * CLUSTER), 8 * i);
  for (let i = 0; i < TABLES; i++) head.writeBigUInt64BE(BigInt(4 * CLUSTER), 3 * CLUSTER + 8 * i);
  head.writeUInt16BE(TABLES, 2 * CLUSTER + 2 * 4);
  head.writeUInt16BE(TABLES * ENTRIES, 2 * CLUSTER + 2 * 5);
  return Buffer.concat([head, table, Buffer.from(realHost().random.bytes(CLUSTER))]);
}

const lacking = process.platform === 'linux' && existsSync('/usr/bin/qemu-img') ? undefined : 'qemu-img is not installed';

describe.skipIf(lacking !== undefined)(`takeDisk${lacking === undefined ? '' : ` (skipped: ${lacking})`}`, () => {
  const take = async (content: Uint8Array): Promise<HostPath> => {
    const target = hostPath(join(folder, 'layer'));
    await takeDisk(realHost(), await identifyDisk(hostFiles, await file(content)), target, new AbortController().signal);
    return target;
  };

  test('copies a raw disk whole into a qcow2 that stands on nothing', async () => {
    const raw = Buffer.alloc(2 ** 20);
    raw.write('EFI PART', 512);
    const target = await take(raw);
    expect(await readQcow2Header(hostFiles, target)).toMatchObject({ virtualSize: 2 ** 20, backing: undefined, compression: 'zstd' });
    expect((await readFile(target)).length).toBeLessThan(2 ** 20);
  });

  test('ends where tables promise more than the file can hold', async () => {
    await expect(take(bomb())).rejects.toHaveProperty('code', 'disk-damaged');
    expect((await readFile(join(folder, 'layer'))).length).toBeLessThan(128 * 2 ** 20);
  }, 60_000);

  test('says that a disk is cut off', async () => {
    const whole = bomb();
    await expect(take(whole.subarray(0, whole.length - CLUSTER))).rejects.toHaveProperty('code', 'disk-damaged');
  });
});

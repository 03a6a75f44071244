import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { growTable, TABLE_HEAD } from './grow-table.ts';

const MIB = 2 ** 20;
const DISK = 64 * MIB;

/** A table with one partition from 1 MiB to 63 MiB. */
function gpt(): Buffer {
  const head = Buffer.alloc(TABLE_HEAD);
  head.writeUInt8(0xee, 450);
  head.writeUInt16BE(0x55aa, 510);
  const entries = head.subarray(1024, 1024 + 128 * 128);
  entries.writeBigUInt64LE(2048n, 32);
  entries.writeBigUInt64LE(BigInt((63 * MIB) / 512 - 1), 40);
  const header = head.subarray(512, 1024);
  header.write('EFI PART', 0);
  header.writeUInt32LE(92, 12);
  header.writeBigUInt64LE(1n, 24);
  header.writeBigUInt64LE(BigInt(DISK / 512 - 1), 32);
  header.writeBigUInt64LE(2n, 72);
  header.writeUInt32LE(128, 80);
  header.writeUInt32LE(128, 84);
  header.writeUInt32LE(crc32(entries), 88);
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
  return head;
}

describe('a partition table', () => {
  test('is grown in both its copies, each with right checksums', () => {
    fc.assert(
      fc.property(fc.integer({ min: 65, max: 200_000 }), (mib) => {
        const size = mib * MIB;
        const { writes, size: grown } = growTable(gpt(), size, 1);
        expect(grown).toBe(size - 2 * MIB);
        const at = (position: number): Buffer => writes.find((write) => write.at === position)?.bytes ?? Buffer.alloc(0);
        for (const [header, entries] of [
          [at(512), at(1024)],
          [at(size - 512), at(size - 33 * 512)],
        ] as const) {
          expect(header.readUInt32LE(88)).toBe(crc32(entries));
          const plain = Buffer.from(header.subarray(0, 92));
          plain.writeUInt32LE(0, 16);
          expect(header.readUInt32LE(16)).toBe(crc32(plain));
          expect(Number(entries.readBigUInt64LE(40))).toBeLessThanOrEqual(Number(header.readBigUInt64LE(48)));
        }
        expect(at(size - 512).readBigUInt64LE(32)).toBe(1n);
      }),
    );
  });

  test('of the older kind is one number', () => {
    const head = Buffer.alloc(TABLE_HEAD);
    head.writeUInt16BE(0x55aa, 510);
    head.writeUInt32LE(2048, 454);
    head.writeUInt32LE(2048, 458);
    const { writes, size } = growTable(head, DISK, 1);
    expect(size).toBe(63 * MIB);
    expect(writes.map(({ at, bytes }) => [at, bytes.readUInt32LE()])).toEqual([[458, (63 * MIB) / 512]]);
  });

  test.each<[string, (head: Buffer) => void, number]>([
    ['a partition that it has not', () => undefined, 200],
    ['entries elsewhere', (head) => void head.writeBigUInt64LE(9999n, 512 + 72), 1],
    ['no table', (head) => void head.fill(0), 1],
    ['a partition beyond the new end', (head) => void head.writeBigUInt64LE(2n ** 40n, 1024 + 40), 1],
  ])('is left alone with %s', (_what, change, number) => {
    const head = gpt();
    change(head);
    expect(() => growTable(head, DISK, number)).toThrow(expect.objectContaining({ code: 'table-unreadable' }));
  });
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { emptyQcow2, parseQcow2Header, QCOW2_LIMITS, withBacking } from './qcow2.ts';

const plain = (): Buffer => Buffer.from(emptyQcow2({ virtualSize: 2 ** 30 }));

/** A header with one field changed. */
function changed(change: (header: Buffer) => void): () => unknown {
  const bytes = plain();
  change(bytes);
  return () => parseQcow2Header(bytes, bytes.length);
}

describe('a header that is fine', () => {
  test('is read', () => {
    expect(parseQcow2Header(plain(), plain().length)).toEqual({
      version: 3,
      clusterBits: 16,
      virtualSize: 2 ** 30,
      backing: undefined,
      compression: 'zlib',
      extendedL2: false,
      snapshots: 0,
    });
  });

  test('with any backing name, size and cluster size comes back as it was written', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 100 })
      .filter((text) => Buffer.byteLength(text) <= 300 && ![...text].some((c) => c < ' ' || c === '\u007f') && text.isWellFormed());
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 21 }),
        fc.integer({ min: 1, max: 2 ** 20 }),
        fc.option(name, { nil: undefined }),
        (clusterBits, virtualSize, backing) => {
          const bytes = emptyQcow2({ virtualSize, clusterBits, ...(backing === undefined ? {} : { backing: { name: backing, format: 'qcow2' } }) });
          const header = parseQcow2Header(bytes, bytes.length);
          expect(header).toMatchObject({ clusterBits, virtualSize });
          expect(header.backing).toEqual(backing === undefined ? undefined : { name: backing, format: 'qcow2' });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('gets another backing name, and keeps its other extensions', () => {
    const features = Buffer.alloc(56);
    features.writeUInt32BE(0x6803f857, 0);
    features.writeUInt32BE(48, 4);
    features.write('dirty bit', 10);
    const bytes = plain();
    bytes.set(features, 104);
    const first = withBacking(bytes, { name: 'a'.repeat(64), format: 'qcow2' });
    bytes.set(first);
    bytes.set(withBacking(bytes, { name: 'short', format: 'raw' }));
    expect(parseQcow2Header(bytes).backing).toEqual({ name: 'short', format: 'raw' });
    expect(bytes.subarray(0, 400).includes('dirty bit')).toBe(true);
  });
});

describe('refused', () => {
  test.each<[string, (header: Buffer) => void]>([
    ['another magic', (h) => h.write('QFX', 0)],
    ['version 4', (h) => h.writeUInt32BE(4, 4)],
    ['clusters of 2^8 bytes', (h) => h.writeUInt32BE(8, 20)],
    ['clusters of 2^22 bytes', (h) => h.writeUInt32BE(22, 20)],
    ['a disk of nothing', (h) => h.writeBigUInt64BE(0n, 24)],
    ['a disk larger than the limit', (h) => h.writeBigUInt64BE(BigInt(QCOW2_LIMITS.virtualSize) + 1n, 24)],
    ['an L1 table too small for its disk', (h) => h.writeBigUInt64BE(2n ** 40n, 24)],
    ['encryption', (h) => h.writeUInt32BE(1, 32)],
    ['a huge L1 table', (h) => h.writeUInt32BE(0xffffffff, 36)],
    ['an L1 table beyond the end', (h) => h.writeBigUInt64BE(2n ** 40n, 40)],
    ['an L1 table in the header', (h) => h.writeBigUInt64BE(0n, 40)],
    ['a misaligned refcount table', (h) => h.writeBigUInt64BE(65_537n, 48)],
    ['no refcount table', (h) => h.writeUInt32BE(0, 56)],
    ['a refcount width of 2^7', (h) => h.writeUInt32BE(7, 96)],
    ['too many snapshots', (h) => h.writeUInt32BE(100_000, 60)],
    ['the dirty bit', (h) => h.writeBigUInt64BE(1n, 72)],
    ['the corrupt bit', (h) => h.writeBigUInt64BE(2n, 72)],
    ['an external data file', (h) => h.writeBigUInt64BE(4n, 72)],
    ['an unknown feature', (h) => h.writeBigUInt64BE(1n << 40n, 72)],
    ['a compression type without its bit', (h) => (h.writeUInt32BE(112, 100), h.writeUInt8(1, 104))],
    ['the name of an external data file', (h) => (h.writeUInt32BE(0x44415441, 104), h.writeUInt32BE(4, 108))],
    ['an extension that runs over', (h) => (h.writeUInt32BE(0x12345678, 104), h.writeUInt32BE(0xfffffff0, 108))],
    ['a header longer than its cluster', (h) => h.writeUInt32BE(2 ** 20, 100)],
    ['a backing name of 1,024 bytes', (h) => (h.writeBigUInt64BE(512n, 8), h.writeUInt32BE(1024, 16))],
    ['a backing name beyond the first cluster', (h) => (h.writeBigUInt64BE(65_530n, 8), h.writeUInt32BE(10, 16))],
    ['a backing name inside the header', (h) => (h.writeBigUInt64BE(8n, 8), h.writeUInt32BE(10, 16))],
    ['a backing name with a NUL', (h) => (h.writeBigUInt64BE(512n, 8), h.writeUInt32BE(3, 16), h.write('a\0b', 512))],
  ])('%s', (_what, change) => {
    expect(changed(change)).toThrowError(expect.objectContaining({ code: 'qcow2-invalid' }));
  });

  test('a file that is cut off at any point', () => {
    const bytes = plain();
    for (const length of [0, 3, 71, 72, 103]) expect(() => parseQcow2Header(bytes.subarray(0, length), length)).toThrow(IngotError);
    expect(() => parseQcow2Header(bytes.subarray(0, 65_536), 65_536)).toThrow(/cut off/);
  });

  test('a new backing name that does not fit', () => {
    const small = emptyQcow2({ virtualSize: 4096, clusterBits: 9 });
    expect(() => withBacking(small, { name: 'x'.repeat(500), format: 'qcow2' })).toThrow(/does not fit/);
    expect(() => withBacking(plain(), { name: '', format: 'qcow2' })).toThrow(IngotError);
  });

  test('nothing but with an error of its own, whatever the bytes', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      // Noise over a good header reaches the later checks.
      fc.array(fc.tuple(fc.integer({ min: 4, max: 700 }), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }).map((edits) => {
        const bytes = Buffer.from(emptyQcow2({ virtualSize: 2 ** 20, clusterBits: 9, backing: { name: 'a'.repeat(64), format: 'qcow2' } }));
        for (const [position, value] of edits) bytes.writeUInt8(value, position);
        return new Uint8Array(bytes);
      }),
    );
    fc.assert(
      fc.property(noise, (bytes) => {
        try {
          const header = parseQcow2Header(bytes, bytes.length);
          expect(header.virtualSize).toBeLessThanOrEqual(QCOW2_LIMITS.virtualSize);
          expect(header.backing?.name.length ?? 0).toBeLessThanOrEqual(QCOW2_LIMITS.backingName);
        } catch (error) {
          expect(error).toMatchObject({ code: 'qcow2-invalid' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

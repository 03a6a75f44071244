import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findLvmVolumes, growLvm, LVM_HEAD, lvmCrc, lvmMetadata, type LvmVolume } from './lvm.ts';
import { lvmDevice, planLvm } from './lvm-layout.ts';
import { parseLvmText } from './lvm-text.ts';

const MIB = 2 ** 20;
const NONE: LvmVolume = { group: '', volume: '', start: 0, size: 0 };
const findLvmRoot = (bytes: Buffer, size: number): LvmVolume => findLvmVolumes(bytes, size)[0] ?? NONE;
const SIZE = 2048 * MIB;

function head(change: (text: string) => string = (text) => text): Buffer {
  const bytes = Buffer.alloc(LVM_HEAD);
  lvmMetadata(planLvm(SIZE, 'x'), SIZE, 0).copy(bytes);
  const at = 4096 + 512;
  const text = change(bytes.toString('latin1', at, bytes.indexOf(0, at)));
  bytes.fill(0, at);
  bytes.write(`${text}\0`, at, 'latin1');
  bytes.writeBigUInt64LE(BigInt(text.length + 1), 4096 + 48);
  bytes.writeUInt32LE(lvmCrc(bytes.subarray(at, at + text.length + 1)), 4096 + 56);
  bytes.writeUInt32LE(lvmCrc(bytes.subarray(4096 + 4, 4096 + 512)), 4096);
  return bytes;
}

describe('a logical volume', () => {
  test('is found where it was put, whatever the size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 2 ** 24 }), fc.string(), (mib, seed) => {
        const size = mib * MIB;
        const layout = planLvm(size, seed);
        const bytes = Buffer.alloc(LVM_HEAD);
        lvmMetadata(layout, size, 0).copy(bytes);
        expect(findLvmRoot(bytes, size)).toEqual({ group: 'system', volume: 'root', start: layout.dataStart, size: layout.size });
        expect(layout.dataStart + layout.size).toBeLessThanOrEqual(size);
      }),
    );
  });

  test('has checksums as LVM computes them', () => {
    // lib/misc/crc.c: the polynomial 0xedb88320, from 0xf597a6cf, without inversions.
    const slowly = (bytes: Uint8Array): number => {
      let crc = 0xf597a6cf;
      for (const byte of bytes) {
        crc ^= byte;
        for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
      }
      return crc >>> 0;
    };
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(lvmCrc(bytes)).toBe(slowly(bytes));
      }),
    );
  });

  test('that was grown by a second segment right behind the first is one piece', () => {
    const grown = head((text) =>
      text
        .replace('segment_count = 1', 'segment_count = 2')
        .replace(/(segment1 \{\nstart_extent = 0\nextent_count = )\d+/, '$1100')
        .replace(
          /(stripes = \[\n"pv0", 0\n\]\n\})/,
          '$1\nsegment2 {\nstart_extent = 100\nextent_count = 50\ntype = "striped"\nstripe_count = 1\nstripes = ["pv0", 100]\n}',
        ),
    );
    expect(findLvmRoot(grown, SIZE)).toMatchObject({ start: MIB, size: 150 * 4 * MIB });
  });

  test.each<[string, (text: string) => string]>([
    ['a mirror', (text) => text.replace('"striped"', '"mirror"')],
    ['two stripes', (text) => text.replace('stripe_count = 1', 'stripe_count = 2')],
    ['another disk', (text) => text.replace('"pv0", 0', '"pv1", 0')],
    ['more than the partition', (text) => text.replace(/(start_extent = 0\nextent_count = )\d+/, '$1999999')],
    ['a start before it', (text) => text.replace('"pv0", 0', '"pv0", -1000')],
    ['another physical volume', (text) => text.replace(/(pv0 \{\nid = )"[^"]+"/, '$1"aaaaaa-aaaa-aaaa-aaaa-aaaa-aaaa-aaaaaa"')],
    ['no volumes', (text) => text.replace('logical_volumes', 'other_volumes')],
    ['no extents', (text) => text.replace(/extent_size = \d+/, 'extent_size = 0')],
    ['deep nesting', (text) => `${'a {\n'.repeat(20)}${text}`],
    ['an open section', (text) => text.replace('}', '')],
    ['a path as its name', (text) => text.replace('root {', '../x {')],
  ])('is refused with %s', (_what, change) => {
    expect(() => findLvmRoot(head(change), SIZE)).toThrow(expect.objectContaining({ code: 'lvm-unreadable' }));
  });

  test('is refused where a checksum is wrong, wherever the byte is', () => {
    for (const at of [512 + 40, 4096 + 30, 4096 + 512 + 20]) {
      const bytes = head();
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      expect(() => findLvmRoot(bytes, SIZE)).toThrow(expect.objectContaining({ code: 'lvm-unreadable' }));
    }
  });

  test('is refused with an error of its own, whatever the bytes', () => {
    const edits = fc.array(fc.tuple(fc.integer({ min: 0, max: 6000 }), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(edits, fc.boolean(), (changes, repair) => {
        const bytes = head();
        for (const [at, value] of changes) bytes.writeUInt8(value, at);
        if (repair) {
          // With right checksums the later checks are reached.
          bytes.writeUInt32LE(lvmCrc(bytes.subarray(512 + 20, 1024)), 512 + 16);
          const length = Math.min(Number(bytes.readBigUInt64LE(4096 + 48) & 0xffffn), 8192);
          bytes.writeUInt32LE(lvmCrc(bytes.subarray(4608, 4608 + length)), 4096 + 56);
          bytes.writeUInt32LE(lvmCrc(bytes.subarray(4096 + 4, 4096 + 512)), 4096);
        }
        try {
          const found = findLvmRoot(bytes, SIZE);
          expect(found.start + found.size).toBeLessThanOrEqual(SIZE);
          expect(found.start).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toMatchObject({ code: 'lvm-unreadable' });
        }
      }),
      { numRuns: 300 },
    );
  });

  test('has the name that the device mapper gives it', () => {
    expect(lvmDevice({ group: 'system', volume: 'root' })).toBe('/dev/mapper/system-root');
    expect(lvmDevice({ group: 'a-b', volume: 'c' })).toBe('/dev/mapper/a--b-c');
  });
});

test("LVM's text is read with comments, escapes, lists and sections", () => {
  expect(parseLvmText('# x\na { b = "q\\"r" c = [1, "two"] d = [] e { f = -3 } }\nv = 1')).toEqual({
    a: { b: 'q"r', c: [1, 'two'], d: [], e: { f: -3 } },
    v: 1,
  });
  expect(() => parseLvmText('a = [1,,2]')).toThrow(expect.objectContaining({ code: 'lvm-unreadable' }));
});

describe('a logical volume that grows', () => {
  const GROWN = 4096 * MIB;
  test('has all that its partition has, and is found there', () => {
    const grown = growLvm(head(), GROWN, { group: 'system', name: 'root' });
    const before = findLvmRoot(head(), SIZE);
    expect(findLvmRoot(grown, GROWN)).toEqual({ ...before, size: GROWN - 4 * MIB });
    expect(grown.length).toBe(LVM_HEAD);
  });

  test('does not grow over another', () => {
    const two = head((text) =>
      text
        .replace(/(segment1 \{\nstart_extent = 0\nextent_count = )\d+/, '$1100')
        .replace(
          'logical_volumes {',
          'logical_volumes {\nvar {\nid = "x"\nsegment_count = 1\nsegment1 {\nextent_count = 10\ntype = "striped"\nstripe_count = 1\nstripes = ["pv0", 100]\n}\n}',
        ),
    );
    expect(findLvmVolumes(two, SIZE).map(({ volume }) => volume)).toEqual(['root', 'var']);
    expect(() => growLvm(two, GROWN, { group: 'system', name: 'root' })).toThrow(expect.objectContaining({ code: 'lvm-unreadable' }));
  });
});

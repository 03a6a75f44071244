import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pieces, type Piece } from './pieces.ts';

const LENGTH = 60;
const pieces = fc.array(
  fc.tuple(fc.nat(LENGTH), fc.nat(LENGTH)).map(([a, b]): Piece => [Math.min(a, b), Math.max(a, b)]),
  { maxLength: 12 },
);

test('what is there and what lacks are together the whole file, once', () => {
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 20 }), (added, size) => {
      const there = Array.from({ length: LENGTH }, () => false);
      for (const [start, end] of added) there.fill(true, start, end);
      const all = new Pieces(added);
      expect(all.bytes).toBe(there.filter(Boolean).length);
      expect(all.prefix).toBe(there.includes(false) ? there.indexOf(false) : LENGTH);
      for (const [i, piece] of all.list().entries()) if (i > 0) expect(piece[0]).toBeGreaterThan(all.list()[i - 1]?.[1] ?? 0);
      const missing = all.missing(LENGTH, size);
      expect(missing.every(([start, end]) => start < end && end - start <= size)).toBe(true);
      expect(missing.toSorted((a, b) => a[0] - b[0])).toEqual(missing);
      for (const [start, end] of missing) {
        expect(there.slice(start, end).includes(true)).toBe(false);
        there.fill(true, start, end);
      }
      expect(there.includes(false)).toBe(false);
    }),
  );
});

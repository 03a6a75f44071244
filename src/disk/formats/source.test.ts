import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inOrder } from './in-order.ts';
import { dataOf, piecesOf } from './source.ts';

test('parts of a map that touch are one; holes and zeros are none', () => {
  const part = (start: number, length: number, data: boolean, zero = !data) => ({ start, length, data, zero });
  expect(dataOf([part(0, 4, true), part(4, 4, true), part(8, 4, false), part(12, 4, true, true), part(16, 4, true)])).toEqual([
    { start: 0, length: 8 },
    { start: 16, length: 4 },
  ]);
});

test('pieces cover a disk without a gap, and say of each whether there is data', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 64 }), fc.array(fc.boolean(), { maxLength: 500 }), (size, piece, map) => {
      const data = map.flatMap((used, start) => (used && start < size ? [{ start, length: 1 }] : []));
      let at = 0;
      for (const { start, length, data: found } of piecesOf({ size, data }, piece)) {
        expect(start).toBe(at);
        expect(found).toBe(map.slice(start, start + length).some(Boolean));
        at += length;
      }
      expect(at).toBe(size);
    }),
  );
});

test('results come in order, no more than asked for are under way, and the first failure is the one that is told', async () => {
  let [running, most] = [0, 0];
  const taken: number[] = [];
  const make = async (item: number): Promise<number> => {
    most = Math.max(most, (running += 1));
    for (let turns = (item * 7) % 5; turns > 0; turns--) await Promise.resolve();
    running -= 1;
    if (item === 30) throw new Error('thirty');
    return item;
  };
  await inOrder(
    Array.from({ length: 20 }, (_, i) => i),
    3,
    make,
    (result) => void taken.push(result),
  );
  expect(taken).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(most).toBeLessThanOrEqual(3);
  await expect(inOrder([1, 30, 2, 3], 4, make, () => undefined)).rejects.toThrow('thirty');
  expect(running).toBe(0);
});

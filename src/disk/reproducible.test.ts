import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gaps } from './reproducible.ts';

test('gaps and partitions together are the disk, once', () => {
  const lengths = fc.array(fc.tuple(fc.nat({ max: 50 }), fc.integer({ min: 1, max: 50 })), { maxLength: 6 });
  fc.assert(
    fc.property(lengths, fc.nat({ max: 50 }), (pairs, tail) => {
      let at = 0;
      const partitions = pairs.map(([before, size]) => {
        const start = at + before;
        at = start + size;
        return { start, size };
      });
      const size = at + tail;
      const between = gaps(size, partitions.toReversed());
      const marks = new Uint8Array(size);
      for (const { from, to } of between) for (let i = from; i < to; i++) marks[i] = (marks[i] ?? 0) + 1;
      for (const each of partitions) for (let i = each.start; i < each.start + each.size; i++) marks[i] = (marks[i] ?? 0) + 1;
      expect(marks.every((count) => count === 1)).toBe(true);
    }),
  );
});

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { inPool } from './pool.ts';

test('works on every item once, so many at the same time at the most', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 20 }), async (atOnce, count) => {
      const seen: number[] = [];
      let [now, most] = [0, 0];
      await inPool(
        atOnce,
        Array.from({ length: count }, (_, i) => i),
        async (item, _signal, index) => {
          expect(index).toBe(item);
          most = Math.max(most, (now += 1));
          await Promise.resolve();
          now--;
          seen.push(item);
        },
      );
      expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(most).toBeLessThanOrEqual(atOnce);
    }),
  );
});

test('a failure tells those that work to stop, begins nothing new, and is thrown when all have ended', async () => {
  const begun: string[] = [];
  const ended: string[] = [];
  const work = async (item: string, signal: AbortSignal): Promise<void> => {
    begun.push(item);
    if (item === 'bad') throw new Error('this one');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    ended.push(item);
    throw new Error('stopped');
  };
  await expect(inPool(2, ['slow', 'bad', 'next'], work)).rejects.toThrow('this one');
  expect([begun, ended]).toEqual([['slow', 'bad'], ['slow']]);
});

test('the signal of the caller is passed on', async () => {
  const outer = new AbortController();
  outer.abort(new Error('no more'));
  await expect(inPool(2, [1], async (_item, signal) => signal.throwIfAborted(), outer.signal)).rejects.toThrow('no more');
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkCause, retry } from './retry.ts';

class Passing extends Error {}

test('what may pass is tried so often, with growing pauses; what will not pass is thrown at once', async () => {
  const outcome = fc.constantFrom('passing', 'lasting', 'good');
  await fc.assert(
    fc.asyncProperty(fc.array(outcome, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 5 }), async (outcomes, attempts) => {
      const pauses: number[] = [];
      const told: number[] = [];
      let tries = 0;
      const result = await retry(
        async () => {
          tries += 1;
          const what = outcomes[tries - 1] ?? 'good';
          if (what === 'passing') throw new Passing();
          if (what === 'lasting') throw new Error('lasting');
          return 'good';
        },
        {
          clock: { sleep: async (seconds) => void pauses.push(seconds) },
          signal: new AbortController().signal,
          attempts,
          transient: (error) => error instanceof Passing,
          onRetry: (_, attempt) => told.push(attempt),
        },
      ).catch((error: unknown) => error);
      const first = outcomes.findIndex((each) => each !== 'passing');
      const needed = (first === -1 ? outcomes.length : first) + 1;
      expect(tries).toBe(Math.min(needed, attempts));
      expect(pauses).toEqual(Array.from({ length: tries - 1 }, (_, i) => 0.5 * 3 ** i));
      expect(told).toEqual(pauses.map((_, i) => i + 1));
      if (needed > attempts) expect(result).toBeInstanceOf(Passing);
      else expect(result instanceof Error ? result.message : result).toBe(outcomes[first] === 'lasting' ? 'lasting' : 'good');
    }),
  );
});

test('a signal ends it', async () => {
  const stop = new AbortController();
  let tries = 0;
  const failing = retry(
    async () => {
      tries += 1;
      if (tries === 2) stop.abort();
      throw new Passing('again');
    },
    { clock: { sleep: async () => undefined }, signal: stop.signal, attempts: 9, transient: () => true },
  );
  await expect(failing).rejects.toThrow('again');
  expect(tries).toBe(2);
});

test('the cause of a failed fetch is what is said', () => {
  expect(networkCause(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }))).toBe('connect ECONNREFUSED');
  expect(networkCause(new Error('plain'))).toBe('plain');
  expect(networkCause('text')).toBe('text');
});

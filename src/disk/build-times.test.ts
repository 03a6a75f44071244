import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildWindows, findCondition, isBuildTime, newestOwnTime } from './build-times.ts';

const layer = (created: string, seconds: number) => ({ created, seconds });
const at = (text: string): number => Date.parse(text) / 1000;

describe('times of a build', () => {
  const windows = buildWindows([layer('2026-03-01T10:00:00.500Z', 60), layer('2026-03-08T10:00:00Z', 10)], at('2026-03-01T09:59:50Z'));

  test('are those while a layer was made, and no others', () => {
    expect(isBuildTime(at('2026-03-01T09:59:00Z'), windows)).toBe(true);
    expect(isBuildTime(at('2026-03-08T09:59:55.25Z'), windows)).toBe(true);
    expect(isBuildTime(at('2026-03-01T09:58:00Z'), windows)).toBe(false);
    // A package that was made between two layers has a time of its own.
    expect(isBuildTime(at('2026-03-05T00:00:00Z'), windows)).toBe(false);
    expect(isBuildTime(at('2026-03-09T00:00:00Z'), windows)).toBe(false);
  });

  test('are all since the base where a layer has no record', () => {
    const unknown = buildWindows([layer('2026-03-01T10:00:00Z', 60), undefined], at('2026-03-01T09:59:50Z'));
    expect(isBuildTime(at('2026-03-20T00:00:00Z'), unknown)).toBe(true);
    expect(isBuildTime(at('2026-02-28T00:00:00Z'), unknown)).toBe(false);
    expect(findCondition(unknown)).toHaveLength(6);
  });

  test('become the newest other time, which is none of them', () => {
    const time = fc.double({ min: at('2026-02-01T00:00:00Z'), max: at('2026-04-01T00:00:00Z'), noNaN: true });
    fc.assert(
      fc.property(fc.array(time), (times) => {
        const newest = newestOwnTime(times, windows);
        for (const each of times) expect(isBuildTime(each, windows) || Math.floor(each) <= newest).toBe(true);
      }),
    );
    expect(newestOwnTime([], windows)).toBe(0);
  });

  test('are asked of find with the ends of each window', () => {
    expect(findCondition([{ from: 10, to: 20 }])).toEqual(['(', '(', '-newermt', '@9.999999999', '!', '-newermt', '@20', ')', ')']);
    expect(
      findCondition([
        { from: 10, to: 20 },
        { from: 30, to: 40 },
      ]).filter((word) => word === '-o'),
    ).toHaveLength(1);
  });
});

import { expect, test } from 'vitest';
import { busyBy } from './guest-activity.ts';

test('a guest is busy while what is measured of it changes, and for as long after that as a platform may take to measure again', async () => {
  let [now, counters]: [number, string | undefined] = [0, '1 2'];
  const busy = busyBy({ monotonic: () => now * 1000 }, () => Promise.resolve(counters));
  expect(await busy()).toBe(true);
  now = 100;
  expect(await busy()).toBe(true);
  now = 200;
  expect(await busy()).toBe(false);
  counters = '1 3';
  expect(await busy()).toBe(true);
  counters = undefined;
  expect(await busy()).toBe(false);
});

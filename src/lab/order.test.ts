import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memberNames, startOrder } from './order.ts';

test('a count numbers its members, and one without is called as it is', () => {
  const names = memberNames([
    { group: 'db', count: undefined },
    { group: 'web', count: 2 },
    { group: 'one', count: 1 },
    { group: 'none', count: 0 },
  ]);
  expect([...names]).toEqual([
    ['db', ['db']],
    ['web', ['web-1', 'web-2']],
    ['one', ['one-1']],
    ['none', []],
  ]);
});

test('what is waited for comes first, whatever the file says; all are there once', () => {
  // Edges lead from later to earlier ones, so there is no circle; the file has them in another order.
  const graphs = fc.integer({ min: 1, max: 12 }).chain((count) =>
    fc.tuple(
      fc.shuffledSubarray(
        Array.from({ length: count }, (_, i) => i),
        { minLength: count },
      ),
      fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 20 }),
    ),
  );
  fc.assert(
    fc.property(graphs, ([file, edges]) => {
      const groups = file.map((group) => ({
        group: `g${group}`,
        after: edges.filter(([from, to]) => from === group && to < group).map(([, to]) => `g${to}`),
      }));
      const order = startOrder(groups, (group, message) => expect.fail(`${group} ${message}`));
      expect(order.toSorted()).toEqual(groups.map(({ group }) => group).toSorted());
      for (const { group, after } of groups) for (const other of after) expect(order.indexOf(other)).toBeLessThan(order.indexOf(group));
    }),
  );
});

test('circles and names that are not there are told', () => {
  const problems: string[] = [];
  const tell = (group: string, message: string, hint?: string): void => void problems.push(`${group} ${message}${hint === undefined ? '' : ` (${hint})`}`);
  startOrder(
    [
      { group: 'a', after: ['b'] },
      { group: 'b', after: ['c', 'bb'] },
      { group: 'c', after: ['a'] },
      { group: 'd', after: ['d'] },
    ],
    tell,
  );
  expect(problems).toEqual([
    'c goes round in a circle: a waits for b waits for c waits for a',
    'b names bb, which is not there (Did you mean b?)',
    'd goes round in a circle: d waits for d',
  ]);
});

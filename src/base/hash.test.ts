import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './hash.ts';

/** What keys were made of from the beginning. */
function byStringify(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

const values = fc.anything({ maxDepth: 4, withSparseArray: false, withBigInt: false, withDate: true, withNullPrototype: true, withObjectString: false });

test('canonical JSON is what JSON.stringify writes of sorted objects, numbers as keys included', () => {
  fc.assert(
    fc.property(fc.record({ value: values, 10: values, 9: values, '01': values }, { requiredKeys: ['value'] }), (value) => {
      expect(canonicalJson(value)).toBe(byStringify(value));
    }),
    { numRuns: 2000 },
  );
});

test('the order in which keys were set does not matter', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      expect(canonicalJson(Object.fromEntries(Object.entries(value).toReversed()))).toBe(canonicalJson(value));
    }),
  );
});

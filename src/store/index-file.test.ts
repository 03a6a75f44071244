import { assert, constantFrom, array, property, record, uniqueArray } from 'fast-check';
import { expect, test } from 'vitest';
import { parseDigest, type Digest } from '../base/types.ts';
import { isImage, parseIndex, pointReferences, referenceOf, type IndexEntry } from './index-file.ts';
import { ANNOTATIONS, MEDIA_TYPES } from './media.ts';

function image(digit: string): IndexEntry {
  return {
    mediaType: MEDIA_TYPES.manifest,
    digest: parseDigest(`sha256:${digit.repeat(64)}`),
    size: 1,
    annotations: { [ANNOTATIONS.config]: 'x', [ANNOTATIONS.name]: 'a' },
  };
}

const moves = array(
  record({ digit: constantFrom('1', '2', '3'), references: uniqueArray(constantFrom('a:latest', 'a:v1', 'b:latest', 'b:v1'), { maxLength: 3 }) }),
  { maxLength: 12 },
);

test('however tags move, a reference is at one image, the last one that got it, and no image is lost', () => {
  assert(
    property(moves, (steps) => {
      let entries: IndexEntry[] = [];
      const expected = new Map<string, Digest>();
      const stored = new Set<Digest>();
      for (const step of steps) {
        const entry = image(step.digit);
        entries = pointReferences(entries, entry, step.references);
        stored.add(entry.digest);
        for (const reference of step.references) expected.set(reference, entry.digest);
      }
      expect(new Map(entries.flatMap((entry) => (referenceOf(entry) === undefined ? [] : [[referenceOf(entry), entry.digest]])))).toEqual(expected);
      expect(entries.filter((entry) => referenceOf(entry) !== undefined)).toHaveLength(expected.size);
      expect(new Set(entries.map((entry) => entry.digest))).toEqual(stored);
      for (const digest of stored) {
        const own = entries.filter((entry) => entry.digest === digest);
        // An untagged entry stands alone.
        if (own.some((entry) => referenceOf(entry) === undefined)) expect(own).toHaveLength(1);
      }
      expect(parseIndex(JSON.stringify({ schemaVersion: 2, manifests: entries }), 'x')).toEqual(entries);
      expect(entries.every(isImage)).toBe(true);
    }),
  );
});

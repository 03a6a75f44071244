import { assert, asyncProperty, constantFrom, array, property, record, uniqueArray } from 'fast-check';
import { expect, test } from 'vitest';
import { parseDigest, parseName, type Digest } from '../base/types.ts';
import { commitSampleLayers, reopen, sampleConfig, sampleHome } from '../../tests/support/sample-images.ts';
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

test('readers without a lock see whole images while writers put, move, tag and remove', { timeout: 60_000 }, async () => {
  await using at = await sampleHome();
  const name = parseName('web', 'an image');
  const put = async (): Promise<void> => {
    const layers = await commitSampleLayers(at.store, at.home, ['one']);
    await at.store.putImage(sampleConfig(layers), layers, name, ['latest']);
  };
  await put();
  await assert(
    asyncProperty(array(constantFrom('put', 'tag', 'remove'), { minLength: 3, maxLength: 6 }), async (steps) => {
      let writing = true;
      const reader = async (): Promise<number> => {
        const store = reopen(at.host, at.home.root);
        let reads = 0;
        do {
          const list = await store.list();
          expect(list.some((one) => one.name === 'web' && one.tag === 'latest')).toBe(true);
          expect(new Set(list.map((one) => `${one.name}:${one.tag}`)).size).toBe(list.length);
          expect((await store.resolve('web')).config['dev.ingot.image'].layers).toHaveLength(1);
          reads += 1;
        } while (writing);
        return reads;
      };
      const readers = Array.from({ length: 20 }, reader);
      const writer = async (): Promise<void> => {
        for (const [i, step] of steps.entries()) {
          if (step === 'put') await put();
          else if (step === 'tag') await at.store.tag('web', `copy:v${i % 2}`);
          else await at.store.remove(`copy:v${i % 2}`, new Map()).catch((error: unknown) => expect(error).toMatchObject({ code: 'image-unknown' }));
        }
      };
      await writer().finally(() => (writing = false));
      for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(0);
    }),
    { numRuns: 5 },
  );
  expect((await at.store.verify()).problems).toEqual([]);
});

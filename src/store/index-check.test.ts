import { readFile, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hexOf, parseDigest, type Digest } from '../base/types.ts';
import { putSampleImage, sampleGate, sampleHome } from '../../tests/support/sample-images.ts';
import { checkIndex } from './index-check.ts';
import { indexPath, isImage, parseIndex, referenceOf, type IndexEntry } from './index-file.ts';
import { ANNOTATIONS, MEDIA_TYPES } from './media.ts';

const digestOf = (i: number): Digest => parseDigest(`sha256:${String(i).padStart(64, '0')}`);
const nobody = (): undefined => undefined;

const anyEntry: fc.Arbitrary<IndexEntry> = fc
  .record({
    image: fc.nat(3),
    number: fc.nat(9),
    reference: fc.option(fc.constantFrom('web:latest', 'web:v1', 'db:latest', 'No Name', 'web'), { nil: undefined }),
    gate: fc.constantFrom('passed', 'failed', 'not-run', 'nonsense'),
    isStatement: fc.boolean(),
  })
  .map(({ image, number, reference, gate, isStatement }) => ({
    mediaType: MEDIA_TYPES.manifest,
    digest: digestOf(isStatement ? 100 + number : image),
    size: 1,
    annotations: isStatement
      ? {
          [ANNOTATIONS.subject]: digestOf(image),
          [ANNOTATIONS.statementKind]: 'gate',
          [ANNOTATIONS.gate]: gate,
          [ANNOTATIONS.created]: `2026-01-0${number + 1}`,
        }
      : { [ANNOTATIONS.config]: digestOf(50 + image), [ANNOTATIONS.gate]: gate, ...(reference === undefined ? {} : { [ANNOTATIONS.reference]: reference }) },
  }));

test('what was mended has no flaw, holds the same images, and what had none is left as it is', () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 8 }), (index) => {
      const { flaws, mended } = checkIndex(index, nobody);
      expect(checkIndex(mended, nobody)).toEqual({ flaws: [], mended });
      const images = (entries: readonly IndexEntry[]) => new Set(entries.filter(isImage).map(({ digest }) => digest));
      expect(images(mended)).toEqual(images(index));
      const references = mended.flatMap((entry) => referenceOf(entry) ?? []);
      expect(new Set(references).size).toBe(references.length);
      for (const reference of references)
        expect(mended.find((entry) => referenceOf(entry) === reference)?.digest).toBe(index.find((entry) => referenceOf(entry) === reference)?.digest);
      if (flaws.length === 0) for (const entry of mended) expect(index).toContain(entry);
    }),
  );
});

test('verify tells of each, and --repair puts it right', async () => {
  await using at = await sampleHome();
  const web = await putSampleImage(at.store, at.home, 'web', ['latest', 'v1']);
  const shop = await putSampleImage(at.store, at.home, 'shop', ['latest']);
  await at.store.addGate(shop, sampleGate('failed'));
  const path = indexPath(at.home);
  const entries = parseIndex(await readFile(path, 'utf8'), path);
  const changed = entries
    .filter((entry) => referenceOf(entry) !== 'web:latest')
    .map((entry): IndexEntry => {
      const { annotations } = entry;
      if (referenceOf(entry) === 'web:v1')
        return { ...entry, annotations: { ...annotations, [ANNOTATIONS.reference]: 'shop:latest', [ANNOTATIONS.gate]: 'passed' } };
      if (referenceOf(entry) === 'shop:latest') return { ...entry, annotations: { ...annotations, [ANNOTATIONS.config]: web.id } };
      return entry;
    });
  const strange = changed.map((entry) =>
    entry.annotations[ANNOTATIONS.subject] === undefined ? entry : { ...entry, annotations: { ...entry.annotations, [ANNOTATIONS.subject]: digestOf(7) } },
  );
  await writeFile(path, JSON.stringify({ schemaVersion: 2, manifests: strange }));

  const { problems } = await at.store.verify();
  expect(problems.map(({ kind, file }) => [kind, file])).toEqual(Array.from({ length: 5 }, () => ['reference-invalid', 'index.json']));
  const text = problems.map(({ message }) => message).join('\n');
  for (const part of ['shop:latest stands on two images', 'about an image that is not in the store', 'said to be passed', 'said to be failed', 'The ID of'])
    expect(text).toContain(part);

  const repaired = await at.store.verify(undefined, undefined, { repair: true });
  expect(repaired.problems.every((problem) => problem.repaired === 'put right in the index')).toBe(true);
  expect((await at.store.verify()).problems).toEqual([]);
  expect((await at.store.list({ untagged: true })).map(({ name, digest, gate }) => [name, digest, gate])).toContainEqual(['shop', shop.digest, 'not-run']);
  expect((await at.store.resolve(`sha256:${hexOf(web.digest)}`)).id).toBe(web.id);
});

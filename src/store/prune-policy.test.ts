import { utimes } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hexOf, parseDigest, type Digest } from '../base/types.ts';
import { commitSampleLayers, putSampleImage, recordsOf, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import type { Image } from './model.ts';
import { fewestThatFit, outdatedImages, removableImages, type PruneImage } from './prune-policy.ts';
import { automaticTag, isAutomaticTag } from './reference.ts';

const NOBODY: ReadonlyMap<Digest, readonly string[]> = new Map();
const DAY = 86_400;

test('an automatic tag is a date and the first digits of the very image', () => {
  const digest = parseDigest(`sha256:1a2b3c4d${'0'.repeat(56)}`);
  expect(isAutomaticTag('20260131-1a2b3c4d', digest)).toBe(true);
  expect(isAutomaticTag(automaticTag(new Date(), digest), digest)).toBe(true);
  for (const tag of ['20260131-1a2b3c4e', '20260131', '1.4', 'latest', '20260131-1a2b3c4d5', 'v20260131-1a2b3c4d'])
    expect(isAutomaticTag(tag, digest)).toBe(false);
});

/** An image as a build leaves it: made some days ago, with its automatic tag, and `latest` taken away by the next. */
async function built(at: SampleHome, name: string, daysAgo: number, below: Parameters<typeof putSampleImage>[5] = []): Promise<Image> {
  const made = new Date(Date.now() - daysAgo * DAY * 1000);
  const { openStore } = await import('./store.ts');
  const store = openStore({ ...at.host, clock: { ...at.host.clock, now: () => made } }, at.home);
  const image = await putSampleImage(store, at.home, name, ['latest'], [`${name} ${daysAgo}`], below);
  return await store.tag(image.digest, `${name}:${made.toISOString().slice(0, 10).replaceAll('-', '')}-${hexOf(image.digest).slice(0, 8)}`);
}

async function left(at: SampleHome): Promise<string[]> {
  return (await at.store.chains()).map(({ digest }) => digest).toSorted();
}

const digests = (...images: Image[]): string[] => images.map(({ digest }) => digest).toSorted();

describe('prune', () => {
  test('--keep leaves the newest of each name, and what has latest, a tag of a user, or a VM', async () => {
    await using at = await sampleHome();
    const tagged = await built(at, 'web', 50);
    await at.store.tag(tagged.digest, 'web:1.0');
    const used = await built(at, 'web', 40);
    const old = await built(at, 'web', 30);
    const young = await built(at, 'web', 20);
    const latest = await built(at, 'web', 10);
    const other = await built(at, 'db', 90);
    const inUse = new Map([[used.digest, ['vm-1']]]);
    const said = await at.store.prune(inUse, { keep: 2, dryRun: true });
    expect(said.images.map(({ digest }) => digest)).toEqual([old.digest]);
    expect(await left(at)).toEqual(digests(tagged, used, old, young, latest, other));
    expect(await at.store.prune(inUse, { keep: 2 })).toEqual(said);
    expect(await left(at)).toEqual(digests(tagged, used, young, latest, other));
    await at.store.prune(NOBODY, { keep: 0 });
    expect(await left(at)).toEqual(digests(tagged, latest, other));
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('--older-than and --keep decide together; without options tagged images stay', async () => {
    await using at = await sampleHome();
    const [a, b, c, d] = [await built(at, 'web', 50), await built(at, 'web', 40), await built(at, 'web', 10), await built(at, 'web', 1)];
    await at.store.prune(NOBODY);
    expect(await left(at)).toEqual(digests(a, b, c, d));
    await at.store.prune(NOBODY, { keep: 3, olderThan: 30 * DAY });
    expect(await left(at)).toEqual(digests(b, c, d));
    await at.store.prune(NOBODY, { olderThan: 30 * DAY });
    expect(await left(at)).toEqual(digests(c, d));
  });

  test('a removed base leaves the layers that its children stand on', async () => {
    await using at = await sampleHome();
    const base = await built(at, 'base', 50);
    const child = await built(at, 'web', 40, await recordsOf(at.store, base));
    await built(at, 'base', 1);
    await at.store.prune(NOBODY, { keep: 1 });
    await expect(at.store.resolve(base.digest)).rejects.toMatchObject({ code: 'image-unknown' });
    expect((await at.store.resolve('web')).layers).toEqual(child.layers);
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('--max-size takes the least recently used layers and the oldest images first, and no more than needed', async () => {
    await using at = await sampleHome();
    const old = await built(at, 'web', 50);
    const young = await built(at, 'web', 5);
    const latest = await built(at, 'web', 1);
    const [unused] = await commitSampleLayers(at.store, at.home, ['unused']);
    const [parent, child] = await commitSampleLayers(at.store, at.home, ['parent', 'child']);
    const ago = (days: number): Date => new Date(Date.now() - days * DAY * 1000);
    await utimes(at.home.layer(unused!.key), ago(20), ago(20));
    await utimes(at.home.layer(parent!.key), ago(70), ago(70));
    await utimes(at.home.layer(child!.key), ago(2), ago(2));
    const { size } = await at.store.prune(NOBODY, { dryRun: true });

    const one = await at.store.prune(NOBODY, { maxSize: size - 1 });
    expect([one.images.map(({ digest }) => digest), one.layers.map(({ name }) => name)]).toEqual([[old.digest], ['web 50']]);
    const two = await at.store.prune(NOBODY, { maxSize: one.size - 1 });
    expect([two.images, two.layers.map(({ name }) => name)]).toEqual([[], ['unused']]);
    expect(two.size).toBe(one.size - two.freed);
    const rest = await at.store.prune(NOBODY, { maxSize: 1 });
    expect(rest.images.map(({ digest }) => digest)).toEqual([young.digest]);
    expect(rest.layers.map(({ name }) => name).toSorted()).toEqual(['child', 'parent', 'web 5']);
    expect(rest.kept.join()).toMatch(/The store takes .* more than 1 B/);
    expect(await left(at)).toEqual(digests(latest));
    expect((await at.store.verify()).problems).toEqual([]);
  });

  test('finding a layer counts as its use, once a day', async () => {
    await using at = await sampleHome();
    const [layer] = await commitSampleLayers(at.store, at.home, ['a']);
    const modified = async (): Promise<number> => (await at.host.files.status(at.home.layer(layer!.key)))!.modified.getTime();
    const long = new Date(Date.now() - 30 * DAY * 1000);
    await utimes(at.home.layer(layer!.key), long, long);
    await at.store.findLayer(layer!.key);
    expect(await modified()).toBeGreaterThan(Date.now() - DAY * 1000);
    const hours = new Date(Date.now() - 3600 * 1000);
    await utimes(at.home.layer(layer!.key), hours, hours);
    await at.store.findLayer(layer!.key);
    expect(await modified()).toBe(hours.getTime());
  });
});

const imageArbitrary = fc.record({
  name: fc.constantFrom('web', 'db'),
  day: fc.integer({ min: 0, max: 100 }),
  tags: fc.subarray(['latest', '1.4', 'auto']),
  used: fc.boolean(),
});

test('whatever the options, what is used, latest or tagged by a user stays, and the newest of each name', () => {
  const now = new Date('2026-06-01T00:00:00Z');
  fc.assert(
    fc.property(
      fc.array(imageArbitrary, { maxLength: 12 }),
      fc.record({ keep: fc.integer({ min: 0, max: 3 }), olderThan: fc.integer({ min: 0, max: 100 * DAY }), maxSize: fc.constant(5) }, { requiredKeys: [] }),
      (many, options) => {
        const images = many.map(({ name, day, tags }, i): PruneImage => {
          const digest = parseDigest(`sha256:${String(i).padStart(64, '0')}`);
          const references = tags.map((tag) => `${name}:${tag === 'auto' ? '20260101-00000000' : tag}`);
          return { name, digest, references, created: new Date(now.getTime() - day * DAY * 1000).toISOString() };
        });
        const inUse = new Map(images.filter((_, i) => many[i]!.used).map(({ digest }) => [digest, ['vm']]));
        const removable = removableImages(images, inUse, options);
        const gone = outdatedImages(removable, options, now);
        for (const image of removable) {
          expect(inUse.has(image.digest)).toBe(false);
          expect(image.references.filter((reference) => !reference.endsWith(':20260101-00000000'))).toEqual([]);
          if (image.references.length === 0) continue;
          const newer = images.filter((other) => other.name === image.name && other.references.length > 0 && other.created >= image.created);
          expect(newer.length).toBeGreaterThan(options.keep ?? 0);
        }
        for (const image of gone) {
          expect(removable).toContain(image);
          if (image.references.length > 0 && options.olderThan !== undefined)
            expect(now.getTime() - Date.parse(image.created)).toBeGreaterThan(options.olderThan * 1000);
        }
        for (const image of images) if (image.references.length === 0 && !inUse.has(image.digest)) expect(gone).toContain(image);
      },
    ),
  );
});

test('the fewest that fit are found', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(60), (count, needed) => {
      expect(fewestThatFit(count, (taken) => taken >= needed)).toBe(Math.min(count, needed));
    }),
  );
});

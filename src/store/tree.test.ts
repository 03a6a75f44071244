import fc from 'fast-check';
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parseDigest, type Digest } from '../base/types.ts';
import { commitSampleLayers, fillStore, putSampleImage, recordsOf, sampleHome, type SampleHome } from '../../tests/support/sample-images.ts';
import type { ImageChain } from './chains.ts';
import { imageTree } from './tree.ts';

/** A tree as indented lines: what stands where, and how many layers it adds. */
async function drawn(at: SampleHome): Promise<string[]> {
  return (await at.store.tree()).map(
    ({ depth, image, layer, own }) => `${'  '.repeat(depth)}${image?.references[0] ?? (image === undefined ? `[${layer}]` : `(${image.name})`)} +${own.length}`,
  );
}

test('images stand on the images whose layers they have, newest first', async () => {
  await using at = await sampleHome();
  const base = await putSampleImage(at.store, at.home, 'debian-12', ['latest'], ['bootstrap', 'packages']);
  const web = await putSampleImage(at.store, at.home, 'web', ['latest'], ['role nginx'], await recordsOf(at.store, base));
  await putSampleImage(at.store, at.home, 'shop', ['latest'], ['copy', 'run'], await recordsOf(at.store, web));
  await putSampleImage(at.store, at.home, 'blog', ['latest'], ['run'], await recordsOf(at.store, web));
  await putSampleImage(at.store, at.home, 'other', ['latest'], ['bootstrap']);
  expect(await drawn(at)).toEqual(['debian-12:latest +2', '  web:latest +1', '    blog:latest +1', '    shop:latest +2', 'other:latest +1']);
  const nodes = await at.store.tree();
  expect(nodes.map(({ beneath }) => beneath)).toEqual([3, 2, 0, 0, 0]);
  expect(nodes[2]!.size).toBe(nodes[0]!.ownSize + nodes[1]!.ownSize + nodes[2]!.ownSize);
});

test('layers that images share without an image of their own are a line with the name of the topmost', async () => {
  await using at = await sampleHome();
  const shared = await commitSampleLayers(at.store, at.home, ['bootstrap', 'role docker']);
  await putSampleImage(at.store, at.home, 'a', ['latest'], ['a'], shared);
  await putSampleImage(at.store, at.home, 'b', ['latest'], ['b'], shared);
  expect(await drawn(at)).toEqual(['[role docker] +2', '  a:latest +1', '  b:latest +1']);
});

test('an image whose manifest is gone is shown as damaged', async () => {
  await using at = await sampleHome();
  const bad = await putSampleImage(at.store, at.home, 'bad', ['latest']);
  await putSampleImage(at.store, at.home, 'good', ['latest']);
  await rm(at.home.blob(bad.digest));
  expect(await drawn(at)).toEqual(['good:latest +2', 'bad:latest +0']);
  expect((await at.store.tree())[1]!.image?.damaged).toMatch(/missing/);
});

test('a thousand images are a tree without a config being opened but for shared layers', async () => {
  await using at = await sampleHome();
  await fillStore(at.host, at.home, 1000);
  const nodes = await at.store.tree();
  expect(nodes).toHaveLength(1001);
  expect(nodes[0]).toMatchObject({ depth: 0, layer: 'base', beneath: 1000 });
});

/** An image whose layers are these small numbers, the digest of each standing for all below it too. */
function chainOf(numbers: readonly number[], i: number): ImageChain {
  const digests = numbers.map((_, at) => digestOfText(numbers.slice(0, at + 1).join('.')));
  return {
    name: `n${i % 3}`,
    digest: digestOfText(`image ${i}`),
    id: digestOfText(`config ${i}`),
    release: 'debian-12',
    roles: [],
    virtualSize: 1,
    storedSize: 1,
    created: new Date(1000 * i).toISOString(),
    gate: 'passed',
    references: [`n${i % 3}:${i}`],
    config: undefined,
    layers: digests.map((digest) => ({ mediaType: 'x', digest, size: 1 })),
  };
}

function digestOfText(text: string): Digest {
  return parseDigest(`sha256:${Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64)}`);
}

test('every image is in the tree once, and its own layers with those above it are its chain', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 4 }), { maxLength: 20 }), (many) => {
      const chains = many.map(chainOf);
      const nodes = imageTree(chains);
      const above: (typeof nodes)[number][] = [];
      for (const node of nodes) {
        expect(node.depth).toBeLessThanOrEqual(above.length);
        above.length = node.depth;
        above.push(node);
        if (node.image !== undefined) expect(above.flatMap(({ own }) => own)).toEqual(node.image.layers);
        else expect(node.beneath).toBeGreaterThan(1);
        expect(node.size).toBe(above.reduce((sum, { ownSize }) => sum + ownSize, 0));
      }
      expect(nodes.flatMap(({ image }) => image?.digest ?? []).toSorted()).toEqual(chains.map(({ digest }) => digest).toSorted());
      // Own bytes count every layer once: together they are what the store holds.
      const layers = new Set(chains.flatMap((chain) => chain.layers.map(({ digest }) => digest)));
      expect(nodes.reduce((sum, { ownSize }) => sum + ownSize, 0)).toBe(layers.size);
    }),
  );
});

test('history tells kinds, records and who shares each layer', async () => {
  await using at = await sampleHome();
  const base = await putSampleImage(at.store, at.home, 'debian-12', ['latest'], ['bootstrap']);
  const web = await putSampleImage(at.store, at.home, 'web', ['latest'], ['nginx', 'files'], await recordsOf(at.store, base));
  await at.host.files.remove(at.home.layer(web.config['dev.ingot.image'].layers[2]!.key));
  const { layers } = await at.store.history('web');
  expect(layers.map(({ told, sharedWith, record }) => [told.name, sharedWith, record?.seconds])).toEqual([
    ['bootstrap', ['debian-12:latest'], 1.5],
    ['nginx', [], 1.5],
    ['files', [], undefined],
  ]);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadOrder, modinfoDepends, moduleName } from './kernel-modules.ts';

test('a module tells what it depends on', () => {
  const module = (depends: string): Buffer => Buffer.from(`\u007FELF\0license=GPL\0depends=${depends}\0name=x\0`, 'latin1');
  expect(modinfoDepends(module('virtio,virtio_ring'))).toEqual(['virtio', 'virtio_ring']);
  expect(modinfoDepends(module(''))).toEqual([]);
  expect(modinfoDepends(Buffer.from('no section at all'))).toEqual([]);
});

test('a module’s name is its file’s, with underscores', () => {
  expect(moduleName('kernel/fs/nls/nls_iso8859-1.ko')).toBe('nls_iso8859_1');
});

test('everything is loaded once, after all that it depends on', async () => {
  const graph = fc.array(fc.array(fc.nat({ max: 19 }), { maxLength: 4 }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(graph, async (edges) => {
      // Only what comes before: kernel modules have no cycles.
      const depends = edges.map((targets, i) => targets.filter((target) => target < i));
      const names = depends.map((_, i) => `m${i}`);
      const order = await loadOrder(names.toReversed(), async (name) => {
        const found = depends[Number(name.slice(1))];
        return found === undefined ? undefined : { path: `${name}.ko`, depends: found.map((target) => `m${target}`) };
      });
      expect(order.toSorted()).toEqual(names.map((name) => `${name}.ko`).toSorted());
      for (const [i, targets] of depends.entries())
        for (const target of targets) expect(order.indexOf(`m${target}.ko`)).toBeLessThan(order.indexOf(`m${i}.ko`));
    }),
  );
});

test('what is no module of this kernel is left out', async () => {
  const order = await loadOrder(['ext4', 'loop'], async (name) => (name === 'loop' ? { path: 'loop.ko', depends: ['gone'] } : undefined));
  expect(order).toEqual(['loop.ko']);
});

import { expect, test } from 'vitest';
import { hostPath, parseName } from '../base/types.ts';
import { loadVms, saveVm } from '../platforms/local/vms.ts';
import { sampleLab } from '../../tests/support/lab.ts';
import { parseLab } from './read.ts';
import { deleteLabSnapshot, labSnapshots, restoreLab, snapshotLab } from './snapshot.ts';
import { labUp } from './up.ts';

const SHOP = parseName('shop', 'a lab');

test('all members have a snapshot at once, go back to it at once, and lose it at once', async () => {
  await using lab = await sampleLab();
  const context = { ...lab.context(), consent: () => Promise.resolve(true) };
  const { home } = lab.home;
  const up = async (text: string) =>
    labUp(context, await parseLab(context, hostPath('/labs/shop.yaml'), text), {
      start: false,
      replace: false,
      force: true,
      imageOf: () => Promise.resolve('debian-12'),
    });
  await up('lab: shop\nvms: { a: { image: debian-12 }, b: { image: debian-12 } }');
  const make = { name: undefined, ram: false, description: undefined };
  expect(await snapshotLab(context, SHOP, make)).toMatchObject({ name: 'snapshot-1', members: ['a', 'b'], without: [], ram: false });
  await up('lab: shop\nvms: { a: { image: debian-12 }, b: { image: debian-12 }, c: { image: debian-12 } }');
  expect(await labSnapshots(context, SHOP)).toMatchObject([{ name: 'snapshot-1', members: ['a', 'b'], without: ['c'] }]);

  // What was applied after the snapshot is looked at again after going back.
  for (const vm of await loadVms(lab.host, home))
    if (vm.lab !== undefined) await saveVm(lab.host, home, { ...vm, lab: { ...vm.lab, scripts: ['one'], ready: 7 } });
  await expect(restoreLab(context, SHOP, { snapshot: 'snapshot', force: false, start: undefined })).rejects.toMatchObject({
    code: 'snapshot-unknown',
    hint: 'Did you mean snapshot-1?',
  });
  await restoreLab(context, SHOP, { snapshot: 'snapshot-1', force: false, start: undefined });
  expect((await loadVms(lab.host, home)).map(({ name, lab: own }) => [name, own?.scripts, own?.ready])).toEqual([
    ['shop-a', [], undefined],
    ['shop-b', [], undefined],
    ['shop-c', ['one'], 7],
  ]);
  expect(lab.messages.join('\n')).toContain('Made after snapshot-1, and left as they are: c');
  await deleteLabSnapshot(context, SHOP, 'snapshot-1');
  expect(await labSnapshots(context, SHOP)).toEqual([]);
});

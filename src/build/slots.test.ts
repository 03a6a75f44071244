import { expect, test } from 'vitest';
import type { PlaceKind } from '../workspace/place.ts';
import { sampleContext } from '../../tests/support/sample-builds.ts';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { SlotPlaces } from './slots.ts';

test('a slot opens its place once, again after it was dropped, and closes what is open', async () => {
  await using at = await sampleHome();
  const log: string[] = [];
  let opened = 0;
  const warnings: string[] = [];
  const context = sampleContext(at, (event) => event.type === 'message' && warnings.push(event.text));
  const open = async (_: unknown, kind: PlaceKind, stack: AsyncDisposableStack) => {
    const name = `place ${(opened += 1)}`;
    log.push(`open ${name}`);
    stack.defer(() => {
      log.push(`close ${name}`);
      if (name === 'place 1') throw new Error('the helper is gone');
    });
    if (opened === 3) throw new Error('no more');
    return { name, kind };
  };
  {
    await using places = new SlotPlaces(context, 'host', open);
    const [first, again] = await Promise.all([places.get(0), places.get(0)]);
    expect(first).toBe(again);
    expect((await places.get(1)).name).toBe('place 2');
    await places.drop(0);
    await expect(places.get(0)).rejects.toThrow('no more');
    expect((await places.get(0)).name).toBe('place 4');
  }
  expect(log).toEqual(['open place 1', 'open place 2', 'close place 1', 'open place 3', 'close place 3', 'open place 4', ...log.slice(6)]);
  expect(log.slice(6).toSorted()).toEqual(['close place 2', 'close place 4']);
  expect(warnings).toEqual(['Closing a workspace failed: the helper is gone']);
});

import { expect, test } from 'vitest';
import { growsAtStart } from './grow.ts';
import type { FoundPartition } from './partition-table.ts';

const MIB = 2 ** 20;
const part = (number: number, start: number, size: number): FoundPartition => ({ number, start: start * MIB, size: size * MIB, filesystem: 'ext4', uuid: '' });

test('a root grows at a start where it is the last partition, or the whole disk, and no logical volume', () => {
  const [boot, root, swap] = [part(1, 1, 100), part(2, 101, 2000), part(3, 2101, 500)];
  const volume: FoundPartition = { start: root.start + MIB, size: 1000 * MIB, filesystem: 'xfs', uuid: '', volume: { group: 'system', name: 'root' } };
  const whole: FoundPartition = { start: 0, size: 3000 * MIB, filesystem: 'ext4', uuid: '' };
  expect(growsAtStart([boot, root], root)).toBe(true);
  expect(growsAtStart([root, boot, swap], root)).toBe(false);
  expect(growsAtStart([boot, root, volume], volume)).toBe(false);
  expect(growsAtStart([whole], whole)).toBe(true);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DISK_SLOTS, parseNewDisk, placeDisks } from './extra-disks.ts';

describe('a disk that is to be added', () => {
  test('has a name and a size', () => {
    expect(parseNewDisk('data=20GiB')).toEqual({ name: 'data', size: 20 * 2 ** 30 });
  });

  test.each([
    ['data', 'disk-invalid'],
    ['=1GiB', 'disk-name-invalid'],
    ['Data=1GiB', 'disk-name-invalid'],
    ['root=1GiB', 'disk-name-invalid'],
    ['seed=1GiB', 'disk-name-invalid'],
    ['-x=1GiB', 'disk-name-invalid'],
    ['a,b=1GiB', 'disk-name-invalid'],
    ['a234567890123456=1GiB', 'disk-name-invalid'],
    ['data=', 'size-invalid'],
    ['data=much', 'size-invalid'],
    ['data=1=2', 'size-invalid'],
    ['data=1KiB', 'disk-too-small'],
    ['data=100TiB', 'disk-too-large'],
  ])('%s is refused', (text, code) => {
    expect(() => parseNewDisk(text)).toThrow(expect.objectContaining({ code }));
  });
});

test('every disk has a slot of its own, and those that are there keep theirs', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/), { maxLength: DISK_SLOTS });
  fc.assert(
    fc.property(names, names, (there, added) => {
      const old = there.map((name, index) => ({ name, slot: DISK_SLOTS - 1 - index }));
      const wanted = added.map((name) => ({ name, size: 1 }));
      const place = () => placeDisks([{ name: 'root' }, ...old], wanted);
      if (added.some((name) => there.includes(name) || name === 'root')) expect(place).toThrow();
      else if (there.length + added.length > DISK_SLOTS) expect(place).toThrow(expect.objectContaining({ code: 'disk-slots-full' }));
      else expect(new Set([...old, ...place()].map(({ slot }) => slot)).size).toBe(there.length + added.length);
    }),
  );
});

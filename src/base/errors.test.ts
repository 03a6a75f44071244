import { expect, test } from 'vitest';
import { nearest } from './errors.ts';

test.each([
  ['wep', ['web', 'db'], ['web']],
  ['we', ['web', 'a', 'b'], ['web']],
  ['bd', ['db', 'web'], ['db']],
  ['bb', ['b', 'a', 'c'], ['b']],
  ['snapshot', ['snapshot-1', 'before'], ['snapshot-1']],
  ['x', ['a', 'b'], []],
])('the names nearest to %s have something of it', (name, names, expected) => {
  expect(nearest(name, names)).toEqual(expected);
});

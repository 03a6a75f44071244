import { expect, test } from 'vitest';
import { refusal } from './variables.ts';

test('a wrong value of few is told with all of them, one of many with the nearest', () => {
  const many = Array.from({ length: 40 }, (_, i) => `rule-${String.fromCodePoint(97 + (i % 26))}-${i}`);
  expect(refusal('fat', { values: ['fast', 'safe'] })).toBe('is none of fast, safe');
  expect(refusal(['rule-a-0', 'rule-b1'], { values: many })).toBe('cannot be "rule-b1" (the nearest is rule-b-1)');
  expect(refusal(['something else'], { values: many })).toBe('cannot be "something else"');
  expect(refusal(['rule-a-0'], { values: many })).toBeUndefined();
});

import { expect, test } from 'vitest';
import { missingFlags } from './cpu.ts';

const V2 = 'flags\t\t: fpu sse2 cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3';

test('a processor of the second level lacks what the third has', () => {
  expect(missingFlags(V2, 'x86-64-v2')).toEqual([]);
  expect(missingFlags(V2, 'x86-64-v3')).toContain('avx2');
  expect(missingFlags(`${V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`, 'x86-64-v3')).toEqual([]);
});

test('an older one lacks what the second has, too', () => {
  expect(missingFlags('flags : fpu sse2', 'x86-64-v3')).toEqual(expect.arrayContaining(['sse4_2', 'avx2']));
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonFault } from './json-fault.ts';

test.each([
  ['{\n  "a": 1,\n}', 3, 1, /property name/],
  ['{\n  "a": 1', 2, 9, /./],
  ['{\n "a": [1,],\n "b": 1\n}', 2, 10, /^Unexpected token '\]'$/],
  ['[1, tru]', 1, 8, /./],
  ['hello', 1, 1, /^Unexpected token 'h'$/],
  ['\u001b[31m\n', 1, 1, /./],
  ['', 1, 1, /./],
  ['[1] x', 1, 5, /./],
])('%j is no JSON, and why', (text, line, column, message) => {
  expect(jsonFault(text)).toMatchObject({ line, column, message: expect.stringMatching(message) });
});

test('what JSON.parse reads has no fault; what is cut off has it at its end, and what is put in where it was put', () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), (json, at) => {
      expect(jsonFault(json)).toBeUndefined();
      const part = json.slice(0, at % json.length);
      const fault = jsonFault(part);
      if (fault !== undefined) expect(fault).toMatchObject({ line: 1, column: part.length + 1 });
      if (fault !== undefined && !part.includes('"')) expect(jsonFault(`${part}x${json}`)).toMatchObject({ line: 1, column: part.length + 1 });
    }),
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TypedLine } from './hidden-input.ts';

function typed(...pieces: string[]): [string, string | undefined] {
  const line = new TypedLine();
  let ended: string | undefined;
  for (const piece of pieces) ended ??= line.type(piece);
  return [line.text(), ended];
}

test.each([
  ['a word', ['pass wörd\r'], 'pass wörd'],
  ['what comes after the end', ['a\rb\r'], 'a'],
  ['backspace', ['ax\u007Fb\bc\r'], 'ac'],
  ['clearing the line', ['wrong\u0015right\n'], 'right'],
  ['cursor and function keys', ['a\u001B[Ab\u001BOPc\u001B[15~d\u001B[1;5Ce\r'], 'abcde'],
  ['a pasted line', ['\u001B[200~secret\r\u001B[201~\r'], 'secret'],
  ['pasted lines', ['\u001B[200~-----\rb3\n-----\r\u001B[201~', '\r'], '-----\nb3\n-----\n'],
  ['control characters', ['a\u0000\u0001b\tc\r'], 'ab\tc'],
])('%s', (_, pieces, text) => expect(typed(...pieces)).toEqual([text, 'entered']));

test('Ctrl-C stops, Ctrl-D ends', () => {
  expect(typed('abc\u0003')[1]).toBe('interrupted');
  expect(typed('abc\u0004')).toEqual(['abc', 'entered']);
  expect(typed('abc')[1]).toBeUndefined();
});

test('the same in whatever pieces it comes', () => {
  const keys = fc
    .array(fc.constantFrom('a', 'b', '\u001B[200~x\ry\u001B[201~', '\u001B[A', '\u001BOA', '\u007F', '\u0015', 'ü'), { maxLength: 12 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(keys, (text) => {
      expect(typed(...text)).toEqual(typed(text));
    }),
  );
});

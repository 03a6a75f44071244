import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../../../base/errors.ts';
import { finishScript } from './finish-script.ts';
import { NEWLINE, shellLine, shellLines } from './shell-words.ts';

const words = fc.array(
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replaceAll('\0', '').toWellFormed()),
  { minLength: 1, maxLength: 6 },
);

describe('words of scripts', () => {
  test('are read back, each line one command', () => {
    fc.assert(
      fc.property(words, (list) => {
        const line = shellLine(['call', ...list]);
        expect(line).not.toContain('\n');
        expect(shellLines(line)).toEqual([['call', ...list]]);
      }),
    );
  });

  test('reach a program of the shell as they were, whatever is in them', () => {
    fc.assert(
      fc.property(words, (list) => {
        const script = `${NEWLINE}\n${shellLine(['printf', '%s\\0', ...list])}\n`;
        expect(execFileSync('sh', [], { input: script, encoding: 'utf8' }).split('\0').slice(0, -1)).toEqual(list);
      }),
      { numRuns: 40 },
    );
  });

  test.each(['a $b', 'a `b`', 'a; b', 'a | b', "a 'b", 'a "b"'])('%s is not read', (line) => {
    expect(() => shellLines(line)).toThrow(IngotError);
  });
});

test('commands of the user run in order, with their words, and the first that fails ends the script', () => {
  const script = finishScript({
    users: [],
    lateCommands: [
      { argv: ['printf', '%s|', "a'b", '$HOME', 'two\nlines', ''] },
      { shell: 'x=1; echo "$x"\necho two' },
      { argv: ['false'] },
      { argv: ['echo', 'never'] },
    ],
  });
  let stdout = '';
  try {
    execFileSync('sh', [], { input: script, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
  } catch (error) {
    stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
  }
  expect(stdout).toBe("a'b|$HOME|two\nlines||1\ntwo\n");
});

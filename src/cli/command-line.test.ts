import { describe, expect, test } from 'vitest';
import { readCommandLine } from './command-line.ts';

const COMMANDS = ['build', 'image list', 'image show', 'vm list', 'vm exec'];
const read = (...argv: string[]) => readCommandLine(argv, COMMANDS);

describe('the command line', () => {
  test('finds commands of one and two words, and global flags anywhere before --', () => {
    expect(read('-y', 'image', '--json', 'show', 'web', '--size', '3')).toMatchObject({
      command: 'image show',
      complete: true,
      rest: ['web', '--size', '3'],
      globals: { json: true, yes: true, verbose: false },
    });
    expect(read('vm', 'exec', 'web', '--', 'ls', '--json')).toMatchObject({
      command: 'vm exec',
      rest: ['web', '--', 'ls', '--json'],
      globals: { json: false },
    });
  });

  test('a group alone is not complete', () => {
    expect(read('image')).toMatchObject({ command: 'image', complete: false });
    expect(read('image', '--help')).toMatchObject({ command: 'image', complete: false, globals: { help: true } });
    expect(read()).toMatchObject({ command: '', complete: false });
    expect(read('help', 'build')).toMatchObject({ command: 'build', globals: { help: true } });
  });

  test.each([
    [['biuld'], 'There is no command "ingot biuld"', 'Did you mean ingot build?'],
    [['image', 'lst'], 'There is no command "ingot image lst"', 'Did you mean ingot image list?'],
    [['image', 'xyzzy'], 'There is no command "ingot image xyzzy"', 'ingot image --help lists the commands.'],
    [['list'], 'There is no command "ingot list"', 'Did you mean ingot image list, or ingot vm list?'],
    [['--frobnicate'], 'There is no flag --frobnicate without a command', 'ingot --help lists the commands.'],
  ])('%j is refused', (argv, message, hint) => {
    expect(() => read(...argv)).toThrow(expect.objectContaining({ message, hint, exitCode: 2 }));
  });
});

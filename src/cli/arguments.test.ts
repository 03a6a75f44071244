import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { clientFile, clientFileOrGuestPath } from '../operations/client-file.ts';
import { parseArguments } from './arguments.ts';

const operation = {
  name: 'sample',
  input: z.strictObject({
    name: z.string().describe('The name').meta({ positional: true }),
    command: z.array(z.string()).default([]).meta({ positional: true }),
    size: z.string().optional().meta({ short: 's' }),
    cpus: z.int().min(1).default(2),
    mode: z.enum(['quick', 'full', 'none']).default('quick').meta({ negatable: 'none' }),
    start: z.boolean().default(true),
    allowAll: z.boolean().default(false).meta({ short: 'a' }),
    force: z.boolean().default(false).meta({ short: 'f' }),
    label: z.array(z.string()).default([]).meta({ short: 'l' }),
    file: clientFile.optional(),
  }),
};
const parse = (...words: string[]): unknown => parseArguments(operation, words, '/home/me');
const DEFAULTS = { command: [], cpus: 2, mode: 'quick', start: true, allowAll: false, force: false, label: [] };

function failure(...words: string[]): IngotError {
  try {
    parse(...words);
  } catch (error) {
    if (error instanceof IngotError) return error;
  }
  throw new Error(`nothing was wrong with ${words.join(' ')}`);
}

describe('arguments', () => {
  test('a path here becomes absolute, one in a VM stays', () => {
    const copy = { name: 'copy', input: z.strictObject({ from: clientFileOrGuestPath.meta({ positional: true }) }) };
    const from = (word: string): unknown => parseArguments(copy, [word], '/home/me').from;
    expect(['site', './a:b', 'web:x', 'web:/x/../y', '/a'].map(from)).toEqual(['/home/me/site', '/home/me/a:b', 'web:x', 'web:/x/../y', '/a']);
  });

  test('every way of writing a flag', () => {
    expect(parse('web', '--size=4GiB', '--cpus', '3', '--mode', 'full', '--no-start', '--allow-all', '--label', 'a', '-l', 'b', '-lc')).toEqual({
      ...DEFAULTS,
      name: 'web',
      size: '4GiB',
      cpus: 3,
      mode: 'full',
      start: false,
      allowAll: true,
      label: ['a', 'b', 'c'],
    });
    expect(parse('-af', 'web', '-s4G', '--no-mode', '--start=true')).toEqual({
      ...DEFAULTS,
      name: 'web',
      allowAll: true,
      force: true,
      size: '4G',
      mode: 'none',
    });
    expect(parse('-fs', '4G', 'web')).toEqual({ ...DEFAULTS, name: 'web', force: true, size: '4G' });
  });

  test('what follows -- belongs to the command', () => {
    expect(parse('web', '--', 'ls', '-la', '--size', '--')).toEqual({ ...DEFAULTS, name: 'web', command: ['ls', '-la', '--size', '--'] });
  });

  test('paths of client files become absolute', () => {
    expect(parse('web', '--file', 'out.raw')).toMatchObject({ file: '/home/me/out.raw' });
    expect(parse('web', '--file', '/tmp/out.raw')).toMatchObject({ file: '/tmp/out.raw' });
  });

  test('all problems at once, with the nearest names', () => {
    const error = failure('--sise', '--cpus', 'many', '--mode', 'ful', '--start=maybe', '--size', '--size=1');
    expect(error).toMatchObject({ class: 'usage', code: 'arguments-invalid', exitCode: 2 });
    expect(error.problems).toEqual([
      { message: 'there is no flag --sise', hint: 'Did you mean --size or --file?' },
      { path: '--start', message: 'takes no value but true or false, not "maybe"' },
      { path: '--size', message: 'needs a value (SIZE)', hint: 'A value that starts with a dash is written --size=--size=1.' },
      { path: 'NAME', message: 'is missing (The name)' },
      { path: '--cpus', message: '"many" is not a number' },
      { path: '--mode', message: '"ful" is not one of quick, full, none', hint: 'Did you mean full?' },
    ]);
  });

  test('a single problem is the sentence', () => {
    expect(failure().message).toBe('NAME: is missing (The name)');
    expect(failure('web', '--size', '1', '--size', '2').message).toBe('--size: is given more than once');
    expect(failure('web', '--cpus', '0').message).toMatch(/^--cpus: "0" is refused/);
    expect(failure('web', '--help-me').message).toBe('There is no flag --help-me');
  });

  test('an argument too many is named', () => {
    const single = { name: 'sample', input: z.strictObject({ name: z.string().meta({ positional: true }) }) };
    expect(() => parseArguments(single, ['a', 'b'], '/')).toThrow('"b" is one argument too many');
  });

  test('any values survive being written as flags', () => {
    const text = fc.string({ minLength: 1 });
    fc.assert(
      fc.property(
        fc.record({
          name: text,
          command: fc.array(fc.string()),
          size: fc.option(text, { nil: undefined }),
          cpus: fc.integer({ min: 1, max: 1000 }),
          start: fc.boolean(),
          allowAll: fc.boolean(),
          label: fc.array(fc.string()),
        }),
        fc.boolean(),
        (value, attached) => {
          const valued = (flag: string, content: string): string[] => (attached || content.startsWith('-') ? [`--${flag}=${content}`] : [`--${flag}`, content]);
          const words = [
            ...(value.size === undefined ? [] : valued('size', value.size)),
            ...valued('cpus', String(value.cpus)),
            value.start ? '--start' : '--no-start',
            `--allow-all=${value.allowAll}`,
            ...value.label.flatMap((label) => valued('label', label)),
            '--',
            value.name,
            ...value.command,
          ];
          const { size, ...rest } = value;
          expect(parse(...words)).toEqual({ ...DEFAULTS, ...rest, ...(size === undefined ? {} : { size }) });
        },
      ),
    );
  });

  test('no words whatever make anything but a value or an arguments-invalid', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('--', '-', '--size', '--size=', '-s', '-af', '--no-start', '--no-size', '--cpus', '--mode=full', '-1', '--=x'),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        try {
          parse(...words);
        } catch (error) {
          expect(error).toMatchObject({ code: 'arguments-invalid', exitCode: 2 });
        }
      }),
    );
  });
});

test('a word that may be a secret is not quoted', () => {
  const input = z.strictObject({ name: z.string().meta({ positional: true, nothingAfter: 'the value is typed' }) });
  expect(() => parseArguments({ name: 'sample', input }, ['name', 'hunter22'], '/')).toThrow(expect.objectContaining({ message: 'The value is typed' }));
});

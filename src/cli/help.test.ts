import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { loadOperation, REGISTRY } from '../operations/registry.ts';
import { helpFor } from './help-pages.ts';
import { renderCommandHelp } from './help.ts';

const OPTIONS = { color: false, width: 80 };

describe('help', () => {
  test('of a command', () => {
    const operation = {
      name: 'vm make',
      summary: 'Make a thing',
      description: 'Longer words about the thing that is made, which need more than one line on a terminal of eighty columns.',
      input: z.strictObject({
        name: z.string().describe('Its name').meta({ positional: true }),
        words: z.array(z.string()).default([]).describe('The rest').meta({ positional: true }),
        image: z.string().describe('Made from it').meta({ short: 'i' }),
        size: z.string().default('4GiB').describe('Its size'),
        level: z.enum(['quick', 'none']).default('quick').describe('How much').meta({ negatable: 'none' }),
        start: z.boolean().default(true).describe('Start it'),
        label: z.array(z.string()).default([]).describe('A label'),
      }),
      examples: [{ command: 'ingot vm make web', does: 'makes it' }],
    };
    expect(renderCommandHelp(operation, OPTIONS)).toMatchInlineSnapshot(`
      "Make a thing.

      Longer words about the thing that is made, which need more than one line on a
      terminal of eighty columns.

      Usage: ingot vm make <NAME> [WORDS…] --image <IMAGE> [options]

      Arguments
        NAME                  Its name
        WORDS                 The rest

      Options
        -i, --image <IMAGE>   Made from it (required)
        --size <SIZE>         Its size (default: 4GiB)
        --level <quick|none>  How much (default: quick; --no-level stands for none)
        --[no-]start          Start it (default: yes)
        --label <LABEL>       A label (may be given several times)

      Everywhere
            --json     Print the result as one JSON document
        -y, --yes      Agree beforehand to all that would be asked
        -q, --quiet    No progress, only warnings and errors
        -v, --verbose  Show the output of the tools as it comes
        -h, --help     Show help

      Examples
        ingot vm make web
            makes it

      Exit codes: 0 done, 2 wrong input, 5 the host lacks something; all of them
      are in docs/reference/exit-codes.md.
      "
    `);
  });

  test('of a command with many flags has them under headings', () => {
    const operation = {
      name: 'vm make',
      summary: 'Make a thing',
      input: z.object({ image: z.string().optional().describe('Made from it'), start: z.boolean().default(false).describe('Start it') }),
      headings: { 'Its image': ['image'] },
      examples: [],
    };
    expect(renderCommandHelp(operation, OPTIONS)).toContain('Options\n  --start          Start it\n\nIts image\n  --image <IMAGE>  Made from it\n');
  });

  test('every page fits into 80 columns, but for what must be pasted whole', { timeout: 60_000 }, async () => {
    for (const name of ['', 'image', 'vm', ...Object.keys(REGISTRY)]) {
      const commands = REGISTRY[name] === undefined ? [] : (await loadOperation(name)).examples.map(({ command }) => `  ${command}`);
      const tooLong = (await helpFor(name, OPTIONS)).split('\n').filter((line) => line.length > 80 && !commands.includes(line));
      expect(tooLong, name).toEqual([]);
    }
  });

  test('the overview names every command', async () => {
    const page = await helpFor('', OPTIONS);
    for (const name of Object.keys(REGISTRY)) expect(page).toContain(`\n  ${name} `);
  });
});

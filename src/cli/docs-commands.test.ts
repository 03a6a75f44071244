import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { loadOperation, REGISTRY } from '../operations/registry.ts';
import { parseArguments } from './arguments.ts';
import { readCommandLine } from './command-line.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).flatMap((file) => (file.endsWith('.md') ? [join('docs', file)] : []))];

interface Command {
  readonly where: string;
  readonly words: readonly string[];
  /** In a code block, as it is typed; within a sentence, arguments may be left away. */
  readonly whole: boolean;
}

/** The calls of ingot in a line for a shell: comments, redirections, and what stands before ingot are taken off. */
function callsIn(line: string): string[][] {
  const words = (line.replace(/^\s*\$ /, '').match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replaceAll(/["']/g, ''));
  const comment = words.findIndex((word) => word.startsWith('#'));
  const calls: string[][] = [[]];
  for (const word of comment === -1 ? words : words.slice(0, comment)) {
    if (['&&', '|', ';'].includes(word)) calls.push([]);
    else calls.at(-1)?.push(word);
  }
  return calls.flatMap((call) => {
    const redirection = call.findIndex((word) => /^[<>]/.test(word));
    const own = (redirection === -1 ? call : call.slice(0, redirection)).filter((word) => word !== 'sudo' && !/^[A-Z_]+=/.test(word));
    return /^(\.\/)?ingot$/.test(own[0] ?? '') ? [own.slice(1)] : [];
  });
}

/** Every command of a page, in its code blocks and in its sentences. */
function commandsOf(page: string): Command[] {
  let fenced = false;
  return readFileSync(join(ROOT, page), 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.startsWith('```')) fenced = !fenced;
      const whole = fenced || line.startsWith('    ');
      const texts = whole ? [line] : [...line.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
      return texts.flatMap(callsIn).map((words) => ({ where: `${page}:${index + 1}`, words, whole }));
    });
}

async function problemOf({ words, whole }: Command): Promise<string | undefined> {
  try {
    const line = readCommandLine(words, Object.keys(REGISTRY));
    if (line.globals.help || line.version) return undefined;
    if (!line.complete) return whole ? `${line.command} is only a group` : undefined;
    parseArguments(await loadOperation(line.command), line.rest, ROOT);
    return undefined;
  } catch (error) {
    if (!(error instanceof IngotError)) throw error;
    const said = [error.message, ...(error.problems ?? []).map(({ path, message }) => `${path ?? ''} ${message}`)];
    return whole || said.some((text) => /there is no (flag|command)/i.test(text)) ? said.join('; ') : undefined;
  }
}

test.for(PAGES)(
  'every command in %s is there, and knows its flags',
  { timeout: 60_000 }, // the first one loads every operation
  async (page) => {
    const problems = await Promise.all(
      commandsOf(page).map(async (command) => {
        const problem = await problemOf(command);
        return problem === undefined ? [] : [`${command.where}: ingot ${command.words.join(' ')}: ${problem}`];
      }),
    );
    expect(problems.flat()).toEqual([]);
  },
);

test('the pages are full of commands', () => {
  expect(PAGES.flatMap(commandsOf).length).toBeGreaterThan(250);
});

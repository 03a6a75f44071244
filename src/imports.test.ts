import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const SOURCES = import.meta.dirname;

/** What must never be imported from where; all else is free. Folders below `src`. */
const RULES: readonly { from: RegExp; not: RegExp; why: string }[] = [
  { from: /^base\//, not: /^(?!base\/)/, why: 'base imports nothing above it' },
  { from: /^(?!cli\/|tui\/|api\/)/, not: /^(cli|tui|api)\//, why: 'only front ends import front ends' },
  {
    from: /^(?!operations\/|cli\/|tui\/|api\/|completion\/)/,
    not: /^operations\/(?!operation\.ts$)/,
    why: 'below the operations only their interface is known',
  },
  { from: /^(plan|template)\//, not: /^(build|workspace|platforms|gate|publish)\//, why: 'planning is pure' },
  { from: /^(store|disk|families|catalog)\//, not: /^(build|gate|platforms|publish)\//, why: 'data goes one way' },
  { from: /^cli\//, not: /^(?!cli\/|base\/|operations\/|completion\/)/, why: 'front ends have no logic of their own' },
];

/** Only this module starts programs. */
const MAY_SPAWN = ['base/process.ts', 'workspace/helper.ts'];

const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCES, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
}

test('imports go one way', () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const target of importsOf(file).filter((name) => name.startsWith('.'))) {
      const path = relative(SOURCES, join(SOURCES, dirname(file), target));
      for (const { from, not, why } of RULES) if (from.test(file) && not.test(path)) wrong.push(`${file} imports ${path}: ${why}`);
    }
  }
  expect(files.length).toBeGreaterThan(30);
  expect(wrong).toEqual([]);
});

test('only base/process starts programs', () => {
  const wrong = files.filter((file) => !MAY_SPAWN.includes(file) && importsOf(file).some((name) => name === 'execa' || /^(node:)?child_process$/.test(name)));
  expect(wrong).toEqual([]);
});

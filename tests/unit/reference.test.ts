import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { referencePages } from '../../tools/reference.ts';

const pages = await referencePages();
const folder = join(import.meta.dirname, '..', '..', 'docs', 'reference');

test('the reference is what the declarations say', () => {
  for (const [name, text] of pages) {
    expect(readFileSync(join(folder, name), 'utf8'), `docs/reference/${name} is out of date: run npm run reference`).toBe(text);
  }
});

test('every exit code and error has its words', () => {
  for (const name of ['exit-codes.md', 'errors.md']) {
    const rows = (pages.get(name) ?? '').split('\n').filter((line) => line.startsWith('| `') || /^\| \d/.test(line));
    expect(rows.length).toBeGreaterThan(10);
    if (name === 'exit-codes.md') expect(rows.filter((row) => / \|\s+\|$/.test(row))).toEqual([]);
  }
});

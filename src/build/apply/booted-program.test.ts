import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { programScript } from './booted-program.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'program-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const common = { env: {}, secrets: {}, network: false, maxAge: 0, booted: true, timeout: 60, label: 'test' } as const;
const inShell = (script: string): string =>
  execFileSync('sh', { input: script, encoding: 'utf8', env: { PATH: '/usr/bin:/bin' }, stdio: ['pipe', 'pipe', 'ignore'] });

test('a program gets its environment and arguments as they are, whatever is in them', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((value) => !value.includes('\0'));
  const content = Buffer.from('#!/bin/sh\nprintf "%s|" "$VALUE" "$@"; cat; pwd\n').toString('base64');
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 3 }), (value, words) => {
      const step = { kind: 'script', fileName: 'x', content, arguments: words, ...common } as const;
      expect(inShell(programScript(step, { VALUE: value }, folder))).toBe(`${[value, ...words].map((word) => `${word}|`).join('')}/\n`);
    }),
    { numRuns: 40 },
  );
});

test('the first command that fails ends a run step, with its exit code', () => {
  const step = { kind: 'run', shell: 'sh', script: 'echo one\nfalse\necho two\n', ...common } as const;
  expect(() => inShell(programScript(step, {}, folder))).toThrow(expect.objectContaining({ status: 1, stdout: 'one\n' }));
});

test('values are in no argument of a process', () => {
  const step = { kind: 'run', shell: 'sh', script: 'tr "\\0" " " </proc/$$/cmdline', ...common } as const;
  if (process.platform === 'linux') expect(inShell(programScript(step, { VALUE: 'nobody sees it' }, folder))).not.toContain('nobody');
});

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GateCheck } from './check.ts';
import { CHECKS } from './checks/index.ts';
import { combinedScript, readAnswers } from './script.ts';

const check = (name: string, script: string): GateCheck => ({ name, holds: '', where: 'disk', script });
const run = (checks: readonly GateCheck[], facts = {}): string => execFileSync('sh', [], { input: combinedScript(checks, facts), encoding: 'utf8' });

test('a check that prints nothing passes, one that prints or breaks fails with what it said', () => {
  const checks = [check('good', 'true'), check('bad', 'echo left over; echo and more'), check('broken', 'nonsense-command')];
  const [good, bad, broken] = readAnswers(checks, run(checks));
  expect(good).toEqual({ name: 'good', result: 'passed' });
  expect(bad).toEqual({ name: 'bad', result: 'failed', detail: 'left over\nand more' });
  expect(broken?.result).toBe('failed');
});

test('a check that leaves its shell does not end the others', () => {
  const checks = [check('leaves', 'exit 3'), check('after', 'echo seen')];
  expect(readAnswers(checks, run(checks)).map((each) => each.result)).toEqual(['passed', 'failed']);
});

test('output that was cut short never counts as passed', () => {
  const checks = [check('one', 'true'), check('two', 'true'), check('three', 'true')];
  const whole = run(checks);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.indexOf('two') }), (length) => {
      const results = readAnswers(checks, whole.slice(0, length));
      expect(results[1]?.result).toBe('not-run');
      expect(results[2]?.result).toBe('not-run');
    }),
  );
});

test('facts reach the checks unchanged, whatever they hold', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii' }), (value) => {
      const checks = [check('fact', 'printf "%s" "$FACT"')];
      expect(readAnswers(checks, run(checks, { FACT: value }))[0]?.detail ?? '').toBe(value.trim());
    }),
    { numRuns: 20 },
  );
});

test('every check has a name of its own and a script that a shell can read', () => {
  expect(new Set(CHECKS.map((each) => each.name)).size).toBe(CHECKS.length);
  for (const each of CHECKS) execFileSync('sh', ['-n'], { input: each.script });
});

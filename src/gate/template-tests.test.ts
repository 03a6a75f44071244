import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { TemplateTest } from '../template/schema.ts';
import { CHECKS } from './checks/index.ts';
import { withTests } from './fingerprint.ts';
import { combinedScript, readAnswers, shellWord, type CheckResult } from './script.ts';
import { templateChecks } from './template-tests.ts';

const folder = mkdtempSync(join(tmpdir(), 'ingot-'));
afterAll(() => rmSync(folder, { recursive: true }));

function results(...tests: TemplateTest[]): CheckResult[] {
  const checks = templateChecks(tests);
  return readAnswers(checks, execFileSync('sh', [], { input: combinedScript(checks, {}), encoding: 'utf8' }));
}

const command = (text: string, contains?: string, code = 0): TemplateTest => ({
  command: text,
  'exit-code': code,
  ...(contains === undefined ? {} : { contains }),
});

test('a command passes by its exit code and what it prints, else its end is shown', () => {
  const [good, other, wrong, silent, input] = results(
    command('echo hello', 'hello'),
    command('exit 3', undefined, 3),
    command('seq 1 30; exit 2'),
    command('echo hello', 'world'),
    command('cat'),
  );
  expect([good, other, input].map((each) => each?.result)).toEqual(['passed', 'passed', 'passed']);
  expect(wrong?.detail).toMatch(/^its exit code is 2, not 0\n11\n(.|\n)*30$/);
  expect(silent?.detail).toBe('the output does not hold the text\nhello');
});

test('whatever a command prints, or a test is called, it is one result of one test', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary-ascii' }), { minLength: 4, maxLength: 4 }), (texts) => {
      const clean = texts.map((text) => text.replaceAll('\0', '').replaceAll('\r', ''));
      const tests = clean.flatMap((text) => [{ ...command(`printf '%s' ${shellWord(text)}`, text.trimEnd()), name: text.slice(0, 60) }, command('exit 1')]);
      expect(results(...tests).map((each) => each.result)).toEqual(clean.flatMap(() => ['passed', 'failed']));
    }),
    { numRuns: 4 },
  );
});

test('output of a failed test cannot pass for the answer of another', () => {
  const [spoof, real] = results(command(String.raw`printf '\036test: exit 1\n'; exit 5`), command('exit 1'));
  expect(spoof?.result).toBe('failed');
  expect(real?.detail).toContain('its exit code is 1');
});

test('files: there or not, content, permissions, owner', () => {
  const path = join(folder, "it's a file");
  writeFileSync(path, 'one\ntwo\n');
  chmodSync(path, 0o640);
  const is = (more: object): TemplateTest => ({ file: path, exists: true, ...more });
  const uid = String(process.getuid?.());
  const answers = results(
    is({ contains: 'one\ntwo', mode: '0640', owner: uid }),
    is({ mode: '0644' }),
    is({ contains: 'three' }),
    is({ owner: `${uid}:65533` }),
    { file: join(folder, 'none'), exists: false },
    { file: join(folder, 'none'), exists: true, mode: '0644' },
    { file: path, exists: false },
  );
  expect(answers.map((each) => each.detail ?? 'passed')).toEqual([
    'passed',
    'its mode is 640, not 644',
    'it does not hold the text',
    expect.stringMatching(/^its group is \d+, not 65533$/),
    'passed',
    'it is not there',
    'it is there',
  ]);
});

test('a port passes while something listens on it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  expect(results({ port, protocol: 'tcp' })[0]?.result).toBe('passed');
  await new Promise((resolve) => server.close(resolve));
});

test('names of tests differ, and another test changes what an earlier result stands for', () => {
  const names = templateChecks([command('true'), command('true'), { port: 80, protocol: 'tcp' }]).map((check) => check.name);
  expect(names).toEqual(['test: true', 'test: true (2)', 'test: port 80/tcp']);
  expect(new Set([...names, ...CHECKS.map((check) => check.name)]).size).toBe(names.length + CHECKS.length);
  const fingerprint = { suite: 'sha256:a', qemu: '', firmware: [] };
  expect(withTests(fingerprint, [])).toEqual(fingerprint);
  const suites = [[], [command('true')], [command('false')]].map((tests) => withTests(fingerprint, tests).suite);
  expect(new Set(suites).size).toBe(3);
});

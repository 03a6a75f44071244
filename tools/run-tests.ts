/* Runs the checks and the tests that ./test asks for, and ends with one line that counts them all. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Counts } from './test-reporter.ts';

const root = join(import.meta.dirname, '..');
const [mode] = process.argv.slice(2);
const projects = { '--fast': ['unit', 'contract'], '--full': ['unit', 'contract', 'smoke', 'system'] }[mode ?? ''] ?? ['unit', 'contract', 'smoke'];
const checks = [
  { name: 'types', argv: ['tsc', '--noEmit'] },
  { name: 'lint', argv: ['oxlint', '--quiet'] },
  { name: 'format', argv: ['oxfmt', '--check'] },
];

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
// Tests start programs by name; node is the one that runs this.
const env = {
  ...process.env,
  // Every request of a publication is disturbed, not only a sample.
  ...(mode === '--full' ? { INGOT_FAULT_STEP: '1' } : {}),
  PATH: [join(process.execPath, '..'), join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter),
};

if (mode !== '--fast') {
  for (const { name, argv } of checks) {
    const [program = '', ...words] = argv;
    console.log(`== ${name}: ${argv.join(' ')}`);
    const { status } = spawnSync(join(root, 'node_modules', '.bin', program), words, { cwd: root, env, stdio: 'inherit' });
    if (status === 0) total.passed += 1;
    else total.failed += 1;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'ingot-tests-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const project of projects) {
  console.log(`== ${project} tests`);
  const file = join(folder, `${project}.json`);
  const argv = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=./tools/test-reporter.ts',
  ];
  const { status } = spawnSync(process.execPath, argv, { cwd: root, env: { ...env, INGOT_TEST_COUNTS: file }, stdio: 'inherit' });
  const counts = readCounts(file);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  // vitest failed, and not by a test: it must not count as nothing.
  if (status !== 0 && counts.failed === 0) total.failed += 1;
}

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

function readCounts(file: string): Counts {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { TestHome, whyNot } from '../support.ts';

/*
 * How much the role hardened does, by the measure of another: Lynis looks at a machine of nothing but the release, and at one with the role. The numbers
 * go into the role's README. Lynis takes minutes of a machine without hardware assistance.
 */

const README = fileURLToPath(new URL('../../../catalog/roles/hardened/README.md', import.meta.url));
const RELEASES = (process.env['INGOT_RELEASES'] ?? 'debian-13').split(',');
const HEAD = ['| release | Lynis | before | level 1 | tests done | measured |', '|---|---|---|---|---|---|'];

interface Score {
  readonly version: string;
  readonly index: number;
  readonly tests: number;
}

/** Two machines at once, each with minutes of Lynis. */
const LIMIT = 3 * 3600 * 1000;
const reason = whyNot();

describe.skipIf(reason !== undefined)(`the score of hardened${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test.each(RELEASES)('is higher than that of %s alone', { timeout: LIMIT }, async (release) => {
    const kept = process.env['INGOT_TEST_HOME'];
    const home = kept === undefined ? await TestHome.make() : TestHome.at(kept);
    try {
      const [before, after] = await Promise.all([scoreOf(home, release, []), scoreOf(home, release, ['--role', 'hardened'])]);
      expect(after.index).toBeGreaterThan(before.index);
      await record([release, before.version, before.index, after.index, `${before.tests}, ${after.tests}`, new Date().toISOString().slice(0, 10)]);
    } finally {
      if (kept === undefined) await home[Symbol.asyncDispose]();
    }
  });
});

/** Boots an image with Lynis and lets it look. The gate is not asked: the role's own tests are run elsewhere. */
async function scoreOf(home: TestHome, release: string, flags: readonly string[]): Promise<Score> {
  const name = `score-${flags.length === 0 ? 'plain' : 'hardened'}-${release}`;
  await home.json(['build', release, ...flags, '--package', 'lynis', '--name', name, '--gate', 'none', '--yes']);
  await home.json(['vm', 'create', name, '--image', name, '--yes']);
  try {
    const exec = async (...command: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await home.ingot(['vm', 'exec', name, '--timeout', '1500', '--', ...command], { timeout: 5400 });
      if (exitCode !== 0) throw new Error(`${command.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`);
      return stdout;
    };
    // What a first boot still does would slow it down. Any exit code is an answer: warnings give others than 0.
    await exec('cloud-init', 'status', '--wait');
    // A line of its log costs it a process, and there are thousands: without hardware assistance that is most of its time.
    await exec('sudo', 'sed', '-i', 's/LOGTEXT=1/LOGTEXT=0/', '/usr/share/lynis/include/consts');
    await exec('sudo', 'sh', '-c', 'lynis audit system --quick --quiet --no-colors >/dev/null 2>&1 || true');
    const report = await exec('sudo', 'cat', '/var/log/lynis-report.dat');
    const word = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(report)?.[1] ?? '';
    const score = { version: word('lynis_version'), index: Number(word('hardening_index')), tests: Number(word('lynis_tests_done')) };
    if (!(score.index > 0)) throw new Error(`Lynis gave no index:\n${report.slice(-2000)}`);
    return score;
  } finally {
    await home.ingot(['vm', 'delete', name, '--force', '--yes']);
  }
}

/** Puts a row in the place of what was known of its release. */
async function record(row: readonly (string | number)[]): Promise<void> {
  const readme = await readFile(README, 'utf8');
  const parts = /^([\s\S]*<!-- scores -->\n)([\s\S]*)(<!-- end of scores -->[\s\S]*)$/.exec(readme);
  if (parts === null) throw new Error('README.md has no place for scores');
  const [, head = '', table = '', tail = ''] = parts;
  const others = table.split('\n').filter((line) => line.startsWith('| debian-') && !line.startsWith(`| ${row[0]} `));
  const rows = [...others, `| ${row.join(' | ')} |`].toSorted();
  await writeFile(README, `${head}\n${[...HEAD, ...rows].join('\n')}\n\n${tail}`);
}

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { openLog } from './log.ts';
import { rotateLog } from './log-rotate.ts';

const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line));

test('lines are JSON, and what is less severe than the level is not there', async () => {
  await using at = await sampleHome();
  for (const atOnce of [true, false]) {
    const log = openLog(at.host, at.home, { operation: 'image list', level: 'warn', atOnce });
    log.write('info', 'not this');
    log.write('warn', 'a warning', { scope: 'web' });
    log.write('error', 'it failed', { code: 'step-failed', exitCode: 9, seconds: 1.5 });
    await log.close();
  }
  const lines = linesOf(await readFile(at.home.log, 'utf8'));
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatchObject({ level: 'warn', operation: 'image list', pid: process.pid, message: 'a warning', scope: 'web' });
  expect(lines[3]).toMatchObject({ level: 'error', code: 'step-failed', exitCode: 9, seconds: 1.5 });
  expect(lines.every(({ time }) => typeof time === 'string' && !Number.isNaN(Date.parse(time)))).toBe(true);
});

test('a log that is too large becomes an old one; the ones before are compressed, and the oldest go', async () => {
  await using at = await sampleHome();
  let minute = 0;
  const host = { ...at.host, clock: { ...at.host.clock, now: () => new Date(Date.UTC(2026, 0, 1, 0, (minute += 1))) } };
  for (let i = 0; i < 14; i += 1) {
    await writeFile(at.home.log, `${JSON.stringify({ message: `log ${i}` })}\n`.repeat(100));
    await rotateLog(host, at.home, 1000);
  }
  await writeFile(at.home.log, 'small\n');
  await rotateLog(host, at.home, 1000);
  const names = await readdir(at.home.logs);
  expect(names.filter((name) => name.endsWith('.zst'))).toHaveLength(9);
  expect(names.filter((name) => /^ingot-.*\.log$/.test(name))).toHaveLength(1);
  expect(await readFile(at.home.log, 'utf8')).toBe('small\n');
  const newest =
    names
      .filter((name) => name.endsWith('.zst'))
      .toSorted()
      .at(-1) ?? '';
  expect(zstdDecompressSync(await readFile(join(at.home.logs, newest))).toString()).toContain('log 12');
});

test('many writers at once, and rotations between them, lose no line', async () => {
  await using at = await sampleHome();
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; i < 40; i += 1) {
      const log = openLog(at.host, at.home, { operation: 'test', level: 'info', atOnce: true });
      log.write('info', `line ${writer} ${i}`);
      await log.close();
      if (i % 10 === 9) await rotateLog(at.host, at.home, 4000);
    }
  });
  await Promise.all(writers);
  const texts = await Promise.all(
    (await readdir(at.home.logs)).map(async (name) => {
      const bytes = await readFile(join(at.home.logs, name));
      return (name.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString();
    }),
  );
  const messages = linesOf(texts.join('')).map(({ message }) => message);
  expect(new Set(messages).size).toBe(320);
  expect(messages).toHaveLength(320);
});

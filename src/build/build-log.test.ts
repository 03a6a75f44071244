import { appendFile, readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { IngotError } from '../base/errors.ts';
import { Events, type Event } from '../base/events.ts';
import { parseName } from '../base/types.ts';
import { sampleHome } from '../../tests/support/sample-images.ts';
import { buildLogs, openBuildLog } from './build-log.ts';
import { followBuildLog, LogText, type ReadLogOptions } from './read-log.ts';

const NAME = parseName('web', 'an image');

/** Events on a clock that stands still. */
function record(tell: (events: Events) => void): Event[] {
  const all: Event[] = [];
  let id = 0;
  const host = {
    clock: { now: () => new Date(Date.UTC(2026, 0, 1, 8, 30)), monotonic: () => 0, sleep: async () => undefined },
    random: { bytes: (count: number) => Uint8Array.from({ length: count }, () => (id += 1) % 256) },
  };
  tell(new Events('build', (event) => all.push(event), host));
  return all;
}

function failing(events: Events): void {
  const base = events.span('layer', 'bootstrap');
  base.end('cached');
  const layer = events.span('layer', 'nginx');
  const step = layer.child('stage', 'install');
  for (let i = 1; i <= 30; i += 1) step.output(`line ${i}\n`);
  step.output('\u001B[31mlast words\u001B[0m\n');
  step.end('failed');
  layer.end('failed');
  events.result('failed', 12, 'The step "install" failed (step-failed)\nlast words');
}

async function textOf(options: Partial<ReadLogOptions> = {}, tell = failing): Promise<string> {
  await using at = await sampleHome();
  const log = openBuildLog(at.host, at.home, NAME);
  for (const event of record(tell)) if (event.type !== 'result') log.write(event);
  await log.end({ status: 'failed', error: new IngotError('command', 'step-failed', 'The step "install" failed', { detail: 'last words' }), seconds: 12 });
  let text = '';
  await followBuildLog(at.host, log.path, { signal: new AbortController().signal, ...options }, (part) => (text += part));
  return text;
}

describe('the log of a build', () => {
  test('shows what was done, and the step that failed last, with its last lines', async () => {
    const text = await textOf();
    expect(text).toContain('08:30:00  bootstrap: cached\n08:30:00  nginx\n  08:30:00  install\n    │ line 1\n');
    expect(text).toContain('  08:30:00  install: FAILED in 0.0 s\n08:30:00  nginx: FAILED in 0.0 s\n');
    const end = text.slice(text.indexOf('━━ install ━━'));
    expect(end.split('\n').slice(0, 3)).toEqual(['━━ install ━━', '  line 12', '  line 13']);
    expect(end).toMatch(/ {2}line 30\n\nfailed after 12 s:\n {2}The step "install" failed \(step-failed\)\n {2}last words\n$/);
    expect(text.includes('\u001B')).toBe(false);
  });

  test('of one layer only what belongs to it', async () => {
    const text = await textOf({ layer: 'boot' });
    expect(text).toContain('bootstrap: cached');
    expect(text).not.toContain('nginx');
    expect(await textOf({ layer: 'ngi' })).toContain('│ line 30');
  });

  test('is followed until the build ends, and a line that is half there is waited for', async () => {
    await using at = await sampleHome();
    const log = openBuildLog(at.host, at.home, NAME);
    const events = record(failing);
    log.write(events[0] ?? failNow());
    const stop = new AbortController();
    let text = '';
    let waits = 0;
    const rest = events.slice(1).map((event) => JSON.stringify(event));
    const half = Math.floor(rest.join('\n').length / 2);
    const clock = {
      ...at.host.clock,
      sleep: async () => {
        waits += 1;
        const all = `${rest.join('\n')}\n`;
        if (waits === 1) await appendFile(log.path, all.slice(0, half));
        if (waits === 2) await appendFile(log.path, all.slice(half));
      },
    };
    await waitForFile(at.home.buildLogs);
    await followBuildLog({ ...at.host, clock }, log.path, { goOn: () => true, signal: stop.signal }, (part) => (text += part));
    expect(waits).toBe(2);
    expect(text).toContain('line 1\n');
    expect(text).toMatch(/last words\n$/);
  });

  test('of a killed process shows what was written, and says that there is more to know', async () => {
    await using at = await sampleHome();
    const log = openBuildLog(at.host, at.home, NAME);
    for (const event of record(failing).slice(0, 8)) log.write(event);
    await waitForFile(at.home.buildLogs);
    await appendFile(log.path, '{"v":1,"seq":99,"ti');
    let text = '';
    await followBuildLog(at.host, log.path, { signal: new AbortController().signal }, (part) => (text += part));
    expect(text).toContain('│ line 3');
    expect(text).toMatch(/its process was killed.*\n$/);
  });

  test('of a newer ingot is refused', async () => {
    await using at = await sampleHome();
    const log = openBuildLog(at.host, at.home, NAME);
    await waitForFile(at.home.buildLogs, 'web');
    await appendFile(log.path, '{"v":99}\n');
    await expect(followBuildLog(at.host, log.path, { signal: new AbortController().signal }, () => undefined)).rejects.toMatchObject({ code: 'log-newer' });
  });

  test('only the newest are kept, the newest first', async () => {
    await using at = await sampleHome();
    for (let i = 0; i < 25; i += 1) {
      const clock = { ...at.host.clock, now: () => new Date(Date.UTC(2026, 0, 1, 0, i)) };
      const log = openBuildLog({ ...at.host, clock }, at.home, NAME);
      await log.end({ status: 'failed', error: new IngotError('command', 'step-failed', 'No'), seconds: 1 });
    }
    const logs = await buildLogs(at.host, at.home, NAME);
    expect(logs).toHaveLength(20);
    expect(logs[0]).toMatch(/20260101-002400000\.jsonl$/);
  });

  test('whatever is cut off or foreign in it breaks nothing', () => {
    const text = new LogText(undefined);
    const [start, ...others] = record(failing);
    expect(others.map((event) => text.add(event)).join('')).toContain('nginx');
    expect(start === undefined ? '' : text.add(start)).toContain('bootstrap');
    expect(text.ended).toBe(true);
  });
});

function failNow(): never {
  throw new Error('there is no event');
}

/** The log's folder is made, and its first lines are written, in the background. */
async function waitForFile(folder: string, name = 'web/'): Promise<void> {
  for (let left = 200; left > 0; left -= 1) {
    const files = await readdir(folder, { recursive: true }).catch(() => []);
    if (files.some((file) => file.startsWith(name))) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the log was not written');
}

import { describe, expect, test, vi } from 'vitest';
import { Events } from '../base/events.ts';
import { fitting, type RunningSpan } from './progress-model.ts';
import { makeProgress, type Progress, type ProgressOptions } from './progress.ts';
import type { Output } from './terminal.ts';

/** Events on a clock that the test moves, shown on an output that it reads. */
function setUp(options: Partial<ProgressOptions> & { cursor?: boolean; width?: number; height?: number } = {}) {
  let time = 0;
  const written: string[] = [];
  const output: Output = {
    write: (text) => void written.push(text),
    isTerminal: options.cursor === true,
    color: false,
    cursor: options.cursor === true,
    width: () => options.width ?? 80,
    height: () => options.height ?? 24,
  };
  const progress: Progress = makeProgress({ output, now: () => time, verbose: false, quiet: false, keep: true, ...options });
  let id = 0;
  const events = new Events('sample', (event) => progress.event(event), {
    clock: { now: () => new Date(0), monotonic: () => time, sleep: async () => undefined },
    random: { bytes: (count) => Uint8Array.from({ length: count }, () => (id += 1) % 256) },
  });
  return { events, progress, written, pass: (milliseconds: number) => (time += milliseconds) };
}

/** What a terminal shows after it got the text: cursor up, clear below, lines. */
function screen(text: string): string[] {
  const lines: string[] = [];
  for (const part of text.split(/(\u001B\[\d+A\r\u001B\[J)/)) {
    const up = /^\u001B\[(\d+)A/.exec(part);
    if (up !== null) lines.splice(lines.length - Number(up[1]));
    else lines.push(...part.split('\n').slice(0, -1));
  }
  return lines;
}

describe('progress without a terminal', () => {
  test('tells starts and ends, and no escapes', () => {
    const { events, written, pass } = setUp();
    const base = events.span('layer', 'base');
    const download = base.child('stage', 'download');
    download.progress(1, 2, 'bytes');
    download.output('noise\n');
    pass(2500);
    download.end('done', '12 MiB');
    base.end('done');
    events.span('layer', 'seal').end('cached');
    events.span('check', 'uefi').end('not-run', 'no firmware');
    events.message('warn', 'slow');
    events.message('debug', 'hidden');
    expect(written.join('')).toBe(
      [
        'start base',
        '  start download',
        '  download: done in 2.5 s, 12 MiB',
        'base: done in 2.5 s',
        'start seal',
        'seal: cached',
        'start uefi',
        'uefi: not run, no firmware',
        'warning: slow',
        '',
      ].join('\n'),
    );
  });

  test('verbose shows the output of tools, without their escapes', () => {
    const { events, written } = setUp({ verbose: true });
    events.span('layer', 'base').output('one\n\u001B[1mtwo\u001B[0m\n');
    expect(written.join('')).toBe('start base\n  │ one\n  │ two\n');
  });

  test('quiet leaves warnings; queries leave no lines', () => {
    for (const options of [{ quiet: true }, { keep: false }]) {
      const { events, written } = setUp(options);
      events.span('layer', 'base').end('done');
      events.message('warn', 'slow');
      expect(written.join('')).toBe('warning: slow\n');
    }
  });
});

describe('progress on a terminal', () => {
  test('running work moves at the bottom, finished work stays, parts vanish into their parent', () => {
    vi.useFakeTimers();
    try {
      const { events, progress, written, pass } = setUp({ cursor: true, width: 61 });
      const tick = (milliseconds: number): void => {
        pass(milliseconds);
        vi.advanceTimersByTime(milliseconds);
      };
      events.span('layer', 'base').end('cached');
      const packages = events.span('layer', 'packages');
      const download = packages.child('stage', 'download');
      download.progress(3 * 2 ** 20, 12 * 2 ** 20, 'bytes');
      tick(1000);
      expect(screen(written.join(''))).toMatchInlineSnapshot(`
        [
          "✔ base                                               cached",
          "⠋ packages                                            1.0 s",
          "  ⠋ download           ━━━━────────────   25 %        1.0 s",
        ]
      `);
      download.end('done');
      tick(1000);
      packages.end('done', '234 packages');
      events.message('info', 'a word in between');
      tick(200);
      progress.close();
      expect(screen(written.join(''))).toMatchInlineSnapshot(`
        [
          "✔ base                                               cached",
          "✔ packages                        234 packages        2.0 s",
          "a word in between",
        ]
      `);
    } finally {
      vi.useRealTimers();
    }
  });

  test('never draws wider or higher than the terminal, nor more than ten times a second', () => {
    vi.useFakeTimers();
    try {
      const { events, written } = setUp({ cursor: true, width: 30, height: 6 });
      const spans = Array.from({ length: 20 }, (_, index) => events.span('layer', `a layer with a long name ${index}`));
      for (let done = 0; done < 1000; done += 1) spans[0]?.progress(done, 1000, 'items', 'with a long note about what it does');
      vi.advanceTimersByTime(1000);
      expect(written.length).toBeGreaterThan(0);
      expect(written.length).toBeLessThanOrEqual(10);
      const lines = screen(written.join(''));
      expect(lines.length).toBeLessThan(6);
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(30);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('many images', () => {
  const state = { built: 1, cached: 2, failed: 1, skipped: 0, running: 2, waiting: 1 };

  test('without a terminal each line says what it is about, and an image that ends tells how far all are', () => {
    const { events, written, pass } = setUp({ verbose: true });
    const [web, db] = [events.branch('web'), events.branch('db +2')];
    const packages = web.span('layer', 'packages');
    const nginx = db.span('layer', 'nginx');
    packages.child('stage', 'download').output('noise\n');
    pass(2000);
    nginx.end('failed');
    db.message('error', 'it failed');
    events.fleet({ ...state, secondsLeft: 130 });
    events.fleet({ ...state, running: 3, waiting: 0 });
    packages.end('done');
    expect(written.join('')).toBe(
      [
        '[web] start packages',
        '[db +2] start nginx',
        '[web]   start download',
        '[web] │ noise',
        '[db +2] nginx: failed in 2.0 s',
        'error: db +2: it failed',
        '7 images: 1 built, 2 cached, 1 failed, 2 running, 1 waiting, about 2 min left',
        '[web] packages: done in 2.0 s',
        '',
      ].join('\n'),
    );
  });

  test('on a terminal the last line says how far all are, counts down, and is gone at the end', () => {
    vi.useFakeTimers();
    try {
      const { events, progress, written, pass } = setUp({ cursor: true, width: 81 });
      const tick = (milliseconds: number): void => {
        pass(milliseconds);
        vi.advanceTimersByTime(milliseconds);
      };
      const layer = events.branch('web').span('layer', 'packages');
      events.fleet({ ...state, secondsLeft: 40 });
      tick(200);
      expect(screen(written.join(''))).toEqual([
        expect.stringMatching(/^. web: packages +0.2 s$/),
        '7 images: 1 built, 2 cached, 1 failed, 2 running, 1 waiting, about 40 s left',
      ]);
      tick(20_000);
      expect(screen(written.join('')).at(-1)).toContain('about 20 s left');
      layer.end('done');
      progress.close();
      expect(screen(written.join(''))).toEqual([expect.stringMatching(/^✔ web: packages +20 s$/)]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('of more work than the screen has lines, parts are left out first, and what is left out is counted', () => {
    const span = (id: string, depth: number): RunningSpan => ({
      id,
      label: id,
      scope: undefined,
      parent: undefined,
      since: 0,
      depth,
      progress: undefined,
      note: undefined,
    });
    const spans = [span('a', 0), span('a1', 1), span('a11', 2), span('b', 0), span('b1', 1), span('c', 0)];
    const shown = (room: number): string => {
      const fit = fitting(spans, room);
      return `${fit.shown.map(({ id }) => id).join(' ')} ${fit.hidden}`;
    };
    expect([6, 5, 4, 3, 2, 1].map(shown)).toEqual(['a a1 a11 b b1 c 0', 'a a1 b b1 c 0', 'a b c 0', 'a b c 0', 'a 2', ' 3']);
  });
});

import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { realHost } from '../../base/host.ts';
import { hostPath, type HostPath } from '../../base/types.ts';
import { consoleTail, consoleText } from './console-text.ts';
import { bridgeConsole } from './console.ts';
import { followLog } from './follow.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'console-'));
});
afterEach(() => rm(folder, { recursive: true }));
const host = realHost();
const signal = new AbortController().signal;

describe('console text', () => {
  test('is what a person would have read', () => {
    expect(consoleText('\u001B[0;32m  OK  \u001B[0m] Started \u001B]0;title\u0007ssh.\r\r\nlogin: \u0000')).toBe('  OK  ] Started ssh.\nlogin: ');
  });

  test('never holds what does something to a terminal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        // eslint-disable-next-line no-control-regex -- exactly these must be gone
        expect(consoleText(bytes)).not.toMatch(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/);
      }),
    );
  });

  test('the tail has the last lines that hold something', async () => {
    const log = hostPath(join(folder, 'console.log'));
    expect(await consoleTail(host, log, 2)).toBe('');
    await host.files.write(log, `${'x'.repeat(5000)}\r\none\r\n\r\ntwo\r\nthree\r\n\r\n`);
    expect(await consoleTail(host, log, 2)).toBe('two\nthree');
  });
});

describe('the log', () => {
  const follow = async (lines: number | undefined, steps: readonly (() => Promise<unknown>)[] = []): Promise<string> => {
    let text = '';
    let step = 0;
    const goOn = async (): Promise<boolean> => {
      await steps[step]?.();
      step += 1;
      return step <= steps.length;
    };
    await followLog(host, hostPath(join(folder, 'console.log')), { lines, signal, goOn }, (part) => (text += part));
    return text;
  };
  const log = (): string => join(folder, 'console.log');

  test('is shown from the start, or from one of its last lines', async () => {
    await host.files.write(log(), 'one\r\ntwo\r\nthree\r\n');
    expect(await follow(undefined)).toBe('one\ntwo\nthree\n');
    expect(await follow(2)).toBe('two\nthree\n');
    expect(await follow(9)).toBe('one\ntwo\nthree\n');
    expect(await follow(0)).toBe('');
  });

  test('nothing there yet is nothing shown', async () => {
    expect(await follow(undefined)).toBe('');
  });

  test('is followed, also when the next start begins it anew', async () => {
    await host.files.write(log(), 'one\n');
    const steps = [
      async () => undefined,
      () => host.files.append(log(), 'two\n'),
      async () => {
        await host.files.rename(log(), `${log()}.1`);
        await host.files.write(log(), 'boot\n');
      },
    ];
    expect(await follow(undefined, steps)).toBe('one\ntwo\nboot\n');
  });
});

describe('the bridge', () => {
  let server: Server;
  let guest: Socket | undefined;
  let path: HostPath;
  beforeEach(async () => {
    path = hostPath(join(folder, 'serial.sock'));
    const listening = Promise.withResolvers<void>();
    server = createServer((socket) => {
      guest = socket;
      socket.write('web login: ');
    }).listen(path, listening.resolve);
    await listening.promise;
  });
  afterEach(() => {
    guest?.destroy();
    server.close();
  });

  class Keyboard extends EventEmitter {
    raw: boolean[] = [];
    setRawMode(raw: boolean): void {
      this.raw.push(raw);
    }
    resume(): void {}
    pause(): void {}
  }

  test('carries keys and screen, and Ctrl-] leaves the terminal as it was', async () => {
    const keyboard = new Keyboard();
    let screen = '';
    const shown = Promise.withResolvers<void>();
    const end = bridgeConsole(
      path,
      keyboard,
      (text) => {
        screen += text;
        shown.resolve();
      },
      signal,
    );
    await shown.promise;
    expect(screen).toBe('web login: ');
    const typed = new Promise((resolve) => guest?.once('data', (data) => resolve(String(data))));
    keyboard.emit('data', Buffer.from('root\r'));
    expect(await typed).toBe('root\r');
    keyboard.emit('data', Buffer.from([0x1d]));
    expect(await end).toBe('detached');
    expect(keyboard.raw).toEqual([true, false]);
    expect(keyboard.listenerCount('data')).toBe(0);
  });

  test("ends with the guest's end", async () => {
    const keyboard = new Keyboard();
    const end = bridgeConsole(path, keyboard, () => guest?.destroy(), signal);
    expect(await end).toBe('ended');
    expect(keyboard.raw).toEqual([true, false]);
  });

  test('nobody there is an error, and the terminal is as it was', async () => {
    const keyboard = new Keyboard();
    await expect(bridgeConsole(hostPath(join(folder, 'none.sock')), keyboard, () => undefined, signal)).rejects.toMatchObject({ code: 'console-gone' });
    expect(keyboard.raw).toEqual([true, false]);
  });
});

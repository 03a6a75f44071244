import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { showLive, type LiveTerminal } from './live-screen.ts';

/** A terminal of four rows that keeps what is written, and whether it was left as it was. */
class Screen extends EventEmitter {
  written = '';
  readonly raw: boolean[] = [];
  readonly terminal: LiveTerminal = { input: this, write: (text) => void (this.written += text), rows: () => 4 };
  setRawMode(raw: boolean): void {
    this.raw.push(raw);
  }
  resume(): void {}
  pause(): void {}
  /** Whether all is as it was before. */
  restored(): boolean {
    return this.written.endsWith('\u001B[?25h\u001B[?1049l') && this.raw.join() === 'true,false' && this.listenerCount('data') === 0;
  }
}

const clock = { sleep: () => Promise.resolve() };
const signal = new AbortController().signal;

describe('a live screen', () => {
  test.each(['q', '\u0003'])('is drawn over what was there, until %j', async (key) => {
    const screen = new Screen();
    let drawn = 0;
    const draw = async (): Promise<string> => {
      drawn += 1;
      if (drawn === 3) screen.emit('data', Buffer.from(key));
      return `picture ${drawn}\nline`;
    };
    await showLive(screen.terminal, draw, { clock, signal });
    expect(screen.written).toContain('\u001B[Hpicture 2\u001B[K\r\nline\u001B[K\u001B[J');
    expect(drawn).toBe(3);
    expect(screen.restored()).toBe(true);
  });

  test('never scrolls', async () => {
    const screen = new Screen();
    const draw = async (): Promise<string> => {
      screen.emit('data', Buffer.from(screen.written.includes('more') ? 'q' : 'x'));
      return 'a\nb\nc\nd\ne';
    };
    await showLive(screen.terminal, draw, { clock, signal });
    expect(screen.written).toContain('c\u001B[K\r\n… and 2 more');
    expect(screen.written).not.toContain('d\u001B[K');
  });

  test('leaves the terminal as it was where drawing fails, or ingot is stopped', async () => {
    const failing = new Screen();
    await expect(showLive(failing.terminal, () => Promise.reject(new Error('no VM')), { clock, signal })).rejects.toThrow('no VM');
    expect(failing.restored()).toBe(true);
    const [stopped, stop] = [new Screen(), new AbortController()];
    const draw = async (): Promise<string> => {
      stop.abort(new Error('stopped'));
      return 'x';
    };
    await expect(showLive(stopped.terminal, draw, { clock, signal: stop.signal })).rejects.toThrow('stopped');
    expect(stopped.restored()).toBe(true);
  });
});

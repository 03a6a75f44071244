import type { Clock } from '../base/host.ts';

/** What a screen that is drawn again and again needs of a terminal. */
export interface LiveTerminal {
  readonly input: {
    on(event: 'data', listener: (chunk: Buffer) => void): unknown;
    off(event: 'data', listener: (chunk: Buffer) => void): unknown;
    resume(): unknown;
    pause(): unknown;
    setRawMode?(raw: boolean): unknown;
  };
  write(text: string): void;
  readonly rows: () => number;
}

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const [HOME, END_OF_LINE, END_OF_SCREEN] = ['\u001B[H', '\u001B[K', '\u001B[J'];
/** q, Q, Ctrl-C and Ctrl-D. */
const QUIT = /[qQ\u0003\u0004]/;

/**
 * Draws a screen once a second, until q or Ctrl-C. The terminal is as before afterwards, whatever happens; the screen is one of its own, so that
 * what was on it comes back.
 */
export async function showLive(
  terminal: LiveTerminal,
  draw: () => Promise<string>,
  options: { readonly clock: Pick<Clock, 'sleep'>; readonly signal: AbortSignal },
): Promise<void> {
  const quit = new AbortController();
  const signal = AbortSignal.any([options.signal, quit.signal]);
  using stack = new DisposableStack();
  const onKeys = (chunk: Buffer): void => void (QUIT.test(chunk.toString('latin1')) && quit.abort());
  const { input } = terminal;
  const restore = (): void => terminal.write(LEAVE);
  input.setRawMode?.(true);
  stack.defer(() => void input.setRawMode?.(false));
  terminal.write(ENTER);
  stack.defer(restore);
  // A second signal ends the process at once.
  process.once('exit', restore);
  stack.defer(() => void process.off('exit', restore));
  input.on('data', onKeys);
  stack.defer(() => void input.off('data', onKeys));
  input.resume();
  stack.defer(() => void input.pause());

  const stopped = Promise.withResolvers<undefined>();
  signal.addEventListener('abort', () => stopped.resolve(undefined));
  while (!signal.aborted) {
    const text = await Promise.race([draw(), stopped.promise]);
    if (text === undefined) break;
    terminal.write(screenOf(text, terminal.rows()));
    await Promise.race([options.clock.sleep(1, signal).catch(() => undefined), stopped.promise]);
  }
  options.signal.throwIfAborted();
}

/** The text from the screen's first line on, over what was there before. */
function screenOf(text: string, rows: number): string {
  const lines = text.split('\n');
  const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… and ${lines.length - rows + 1} more`];
  return `${HOME}${shown.map((line) => line + END_OF_LINE).join('\r\n')}${END_OF_SCREEN}`;
}

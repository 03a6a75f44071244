import { constants } from 'node:os';
import { IngotError } from '../base/errors.ts';

/** Watches for Ctrl-C and its like while an operation runs. */
export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
  /** While true, Ctrl-C belongs to the program that has the terminal. */
  handedOver: boolean;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first signal aborts and lets the work end cleanly, saying so; the second exits at once with 130 (or 128 + n). */
export function interruption(say: (text: string) => void): Interruption {
  const controller = new AbortController();
  const state = { handedOver: false };
  const handlers = SIGNALS.map((name) => {
    const handler = (): void => {
      if (name === 'SIGINT' && state.handedOver) return;
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      say(`Stopping: what is under way is being undone${name === 'SIGINT' ? ' (Ctrl-C again exits at once)' : ''} …`);
      controller.abort(new IngotError('interrupted', 'interrupted', 'Stopped before it was done'));
    };
    process.on(name, handler);
    return { name, handler };
  });
  return {
    signal: controller.signal,
    get handedOver() {
      return state.handedOver;
    },
    set handedOver(value: boolean) {
      state.handedOver = value;
    },
    [Symbol.dispose]() {
      for (const { name, handler } of handlers) process.off(name, handler);
    },
  };
}

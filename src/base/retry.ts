import type { Clock } from './host.ts';

export interface RetryOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Ends the waiting too. */
  readonly signal: AbortSignal;
  /** How often it is tried in all. */
  readonly attempts: number;
  /** Whether another try can help: a network that failed, a server that was busy; never an answer that says no. */
  readonly transient: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, attempt: number) => void;
}

/** Tries again after failures that may pass, with pauses of 0.5, 1.5, 4.5 … seconds. Throws the last failure, and at once one that will not pass. */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (options.signal.aborted || attempt >= options.attempts || !options.transient(error)) throw error;
      options.onRetry?.(error, attempt);
      await options.clock.sleep(0.5 * 3 ** (attempt - 1), options.signal);
    }
  }
}

/** What a network failure says: fetch hides the reason in its cause, and what a proxy said in that one's. */
export function networkCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let said = error.message;
  let cause = error.cause;
  for (let depth = 0; depth < MOST_CAUSES && cause instanceof Error; depth++) {
    if (cause.message !== '') said = cause.message;
    cause = cause.cause;
  }
  return said;
}

const MOST_CAUSES = 4;

import type { Clock } from '../base/host.ts';

/** Seconds without a change after which a guest counts as quiet: platforms measure their guests about once a minute. */
const QUIET = 150;

/**
 * Whether a guest on a target has done something of late, by what the platform measures of it: `read` gives its counters as a text, or nothing where the
 * platform tells none, which stands for a guest that does nothing.
 */
export function busyBy(clock: Pick<Clock, 'monotonic'>, read: () => Promise<string | undefined>): () => Promise<boolean> {
  let known: { readonly counters: string; readonly since: number } | undefined;
  return async () => {
    const counters = await read();
    if (counters === undefined) return false;
    const now = clock.monotonic();
    if (known?.counters !== counters) known = { counters, since: now };
    return (now - known.since) / 1000 < QUIET;
  };
}

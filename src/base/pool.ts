/**
 * Works on items, so many at the same time, until all are done. After a failure nothing new is begun and the signal that the others were given is aborted, as it is
 * by `outer`; when all have ended, the first failure is thrown.
 */
export async function inPool<T>(
  atOnce: number,
  items: readonly T[],
  work: (item: T, signal: AbortSignal, index: number) => Promise<void>,
  outer?: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const signal = outer === undefined ? stop.signal : AbortSignal.any([outer, stop.signal]);
  const queue = items.entries();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return;
      try {
        await work(item, signal, index);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  if (failures.length > 0) throw failures[0];
}

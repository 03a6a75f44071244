/** Waits for a promise, but not longer than `seconds`: then it rejects with what `late` makes. The work itself goes on. */
export async function withinSeconds<T>(promise: Promise<T>, seconds: number, late: () => Error): Promise<T> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(late()), seconds * 1000);
  try {
    return await Promise.race([promise, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Work that excludes each other by keys: what shares a key is done one after the other, in the order in which it came; all else at the same time. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs the work when all that came before with one of the keys has ended. */
  async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    using _turn = await this.take(keys);
    return await work();
  }

  /** Waits for its turn, as {@link KeyedQueue.run}; it lasts until it is disposed of. */
  async take(keys: readonly string[]): Promise<Disposable> {
    const own = Promise.withResolvers<void>();
    const before = [...new Set(keys)].map((key) => {
      const last = this.#last.get(key);
      // Taken in one go, so that two who want the same keys never wait for each other.
      this.#last.set(key, last === undefined ? own.promise : last.then(() => own.promise));
      return last;
    });
    await Promise.all(before);
    return { [Symbol.dispose]: () => own.resolve() };
  }
}

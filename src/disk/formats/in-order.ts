/**
 * Makes a result of each item, up to `width` at the same time, and hands them over in the order of the items, one after the other. The first failure ends it,
 * once what runs has ended.
 */
export async function inOrder<T, R>(
  items: Iterable<T>,
  width: number,
  make: (item: T) => Promise<R>,
  take: (result: R, item: T) => Promise<void> | void,
): Promise<void> {
  const running: { readonly item: T; readonly result: Promise<R> }[] = [];
  const takeFirst = async (): Promise<void> => {
    const first = running.shift();
    if (first !== undefined) await take(await first.result, first.item);
  };
  try {
    for (const item of items) {
      running.push({ item, result: make(item) });
      if (running.length >= width) await takeFirst();
    }
    while (running.length > 0) await takeFirst();
  } catch (error) {
    await Promise.allSettled(running.map(({ result }) => result));
    throw error;
  }
}

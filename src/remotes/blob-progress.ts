import type { Digest } from '../base/types.ts';

/** Adds up how far each of many blobs is, of which some move at the same time. */
export function blobProgress(total: number, onProgress: ((done: number, total: number) => void) | undefined): (digest: Digest, bytes: number) => void {
  const done = new Map<Digest, number>();
  return (digest, bytes) => {
    done.set(digest, bytes);
    const sum = [...done.values()].reduce((all, one) => all + one, 0);
    onProgress?.(sum, total);
  };
}

import type { Queue } from './queue.ts';

/** The kind under which the time of a whole build is remembered, by the image's name. */
export const IMAGE_KIND = 'image';

/** How long builds took by the name of their image. */
export function jobEstimates(queue: Queue): ReadonlyMap<string, number> {
  return new Map(queue.times().flatMap(({ kind, name, seconds }) => (kind === IMAGE_KIND ? [[name, seconds] as const] : [])));
}

/**
 * Seconds until all jobs that wait and run are done: what is left of them on so many processors, never less than the longest. Undefined where
 * one of them was never built here; 0 where nothing waits or runs.
 */
export function queueSeconds(
  jobs: readonly { readonly name: string; readonly state: string; readonly seconds?: number | undefined }[],
  estimates: ReadonlyMap<string, number>,
  workers: number,
): number | undefined {
  const left: number[] = [];
  for (const job of jobs) {
    if (job.state !== 'queued' && job.state !== 'running') continue;
    const seconds = estimates.get(job.name);
    if (seconds === undefined) return undefined;
    left.push(job.state === 'running' ? Math.max(0, seconds - (job.seconds ?? 0)) : seconds);
  }
  const sum = left.reduce((total, seconds) => total + seconds, 0);
  return Math.ceil(Math.max(0, sum / Math.max(1, workers), ...left));
}

import * as z from 'zod';
import { formatDuration } from '../base/types.ts';
import { jobStateSchema, type Job } from '../queue/job.ts';
import { renderTable, type Cell } from './table.ts';
import type { RenderOptions } from './operation.ts';

/** A job of the queue, for scripts. */
export const jobSchema = z.object({
  id: z.int(),
  name: z.string(),
  template: z.string(),
  state: jobStateSchema,
  stopping: z.boolean().describe('It runs, and was asked to stop'),
  outcome: z.string().optional().describe('built, or cached where no layer had to be made'),
  tries: z.int(),
  created: z.string(),
  started: z.string().optional(),
  finished: z.string().optional(),
  seconds: z.number().optional().describe('How long it took, or has been running'),
  error: z.object({ code: z.string().optional(), message: z.string() }).optional(),
});
export type ShownJob = z.output<typeof jobSchema>;

export function shownJob(job: Job, now: Date): ShownJob {
  const seconds = job.state === 'running' && job.started !== null ? Math.max(0, (now.getTime() - Date.parse(job.started)) / 1000) : (job.seconds ?? undefined);
  return {
    id: job.id,
    name: job.name,
    template: job.request.template,
    state: job.state,
    stopping: job.state === 'running' && job.cancel,
    tries: job.tries,
    created: job.created,
    ...(job.outcome === null ? {} : { outcome: job.outcome }),
    ...(job.started === null ? {} : { started: job.started }),
    ...(job.finished === null ? {} : { finished: job.finished }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(job.error === null ? {} : { error: { message: job.error, ...(job.error_code === null ? {} : { code: job.error_code }) } }),
  };
}

const STYLES = { queued: 'yellow', running: 'bold', done: 'green', failed: 'red', cancelled: 'dim', interrupted: 'red' } as const;

/** Jobs as a table, with what went wrong at the end of the line. */
export function renderJobs(jobs: readonly ShownJob[], options: RenderOptions): string {
  const rows = jobs.map((job): Cell[] => [
    String(job.id),
    job.name,
    { text: job.stopping ? 'stopping' : job.state, style: STYLES[job.state] },
    job.seconds === undefined ? '' : formatDuration(job.seconds),
    job.created.slice(0, 16).replace('T', ' '),
    job.template,
    job.error === undefined ? (job.outcome ?? '') : `${job.error.message}${job.error.code === undefined ? '' : ` (${job.error.code})`}`,
  ]);
  return renderTable(
    [
      { title: 'ID', right: true },
      { title: 'IMAGE' },
      { title: 'STATE' },
      { title: 'TIME', right: true },
      { title: 'ADDED' },
      { title: 'TEMPLATE' },
      { title: 'RESULT' },
    ],
    rows,
    options,
  );
}

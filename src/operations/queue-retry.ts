import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { Queue } from '../queue/queue.ts';
import { defineOperation } from './operation.ts';

export default defineOperation({
  name: 'queue retry',
  summary: 'Let builds that failed or were interrupted wait again',
  description: 'Nothing is built before `ingot queue run`. Layers that were finished are not made again.',
  kind: 'job',
  input: z.object({
    ids: z.array(z.int().min(1)).default([]).describe('Numbers of jobs, as `ingot queue list` shows them').meta({ positional: true, placeholder: 'ID' }),
    failed: z.boolean().default(false).describe('All that failed or were interrupted and were not built since'),
  }),
  output: z.object({
    jobs: z.array(z.object({ id: z.int(), name: z.string(), result: z.enum(['queued', 'waiting']).describe('waiting: it waits or runs already') })),
  }),
  examples: [
    { command: 'ingot queue retry 12', does: 'lets a build wait again' },
    { command: 'ingot queue retry --failed', does: 'every build that did not succeed' },
  ],
  async run(input, context) {
    if (input.failed === input.ids.length > 0) {
      throw new IngotError('usage', 'jobs-unnamed', 'Name the jobs by their numbers, or all that did not succeed with --failed');
    }
    using queue = await Queue.open(context.host, context.home);
    const ids = input.failed ? queue.list({ all: false }).flatMap(({ id, state }) => (state === 'failed' || state === 'interrupted' ? [id] : [])) : input.ids;
    const names = new Map(ids.map((id) => [id, queue.find(id)?.name]));
    const unknown = ids.filter((id) => names.get(id) === undefined);
    if (unknown.length > 0) {
      throw new IngotError('not-found', 'job-unknown', `The queue has no job ${unknown.join(', ')}`, {
        hint: '`ingot queue list --all` shows those that are kept.',
      });
    }
    return { jobs: ids.map((id) => ({ id, name: names.get(id) ?? '', result: queue.retry(id) === 'queued' ? ('queued' as const) : ('waiting' as const) })) };
  },
  render({ jobs }) {
    if (jobs.length === 0) return 'Nothing failed that was not built since.';
    return jobs
      .map(({ id, name, result }) => (result === 'queued' ? `${name} waits again as job ${id}.` : `${name} waits or runs already as job ${id}.`))
      .join('\n');
  },
});

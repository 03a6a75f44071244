import * as z from 'zod';
import { IngotError } from '../base/errors.ts';
import { Queue } from '../queue/queue.ts';
import { defineOperation } from './operation.ts';
import { jobIds } from './queue-input.ts';

export default defineOperation({
  name: 'queue cancel',
  summary: 'Cancel builds that wait, or stop those that run',
  description:
    'A build that runs in another process is asked to stop, does so within a second or two, and undoes what is half-made. Layers that other images of the same build need are made nevertheless.',
  kind: 'job',
  input: z.object(jobIds),
  output: z.object({
    jobs: z.array(z.object({ id: z.int(), result: z.enum(['cancelled', 'asked', 'over']).describe('asked: it runs, and will stop; over: it had ended') })),
  }),
  examples: [{ command: 'ingot queue cancel 12 13', does: 'takes two builds back' }],
  async run(input, context) {
    using queue = await Queue.open(context.host, context.home);
    const unknown = input.ids.filter((id) => queue.find(id) === undefined);
    if (unknown.length > 0) {
      throw new IngotError('not-found', 'job-unknown', `The queue has no job ${unknown.join(', ')}`, {
        hint: '`ingot queue list --all` shows those that are kept.',
      });
    }
    return {
      jobs: input.ids.map((id) => {
        const result = queue.cancel(id);
        return { id, result: result === 'unknown' ? ('over' as const) : result };
      }),
    };
  },
  render({ jobs }) {
    const words = { cancelled: 'cancelled', asked: 'will stop', over: 'had ended already' };
    return jobs.map(({ id, result }) => `Job ${id} ${words[result]}`).join('\n');
  },
});

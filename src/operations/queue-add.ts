import * as z from 'zod';
import { Queue } from '../queue/queue.ts';
import { buildInput } from './build-input.ts';
import { defineOperation } from './operation.ts';
import { templatesPosition } from './request-input.ts';
import { requestsOf } from './requests.ts';
import { jobOf } from './run-builds.ts';

export default defineOperation({
  name: 'queue add',
  summary: 'Add builds to the queue, for `ingot queue run`',
  description: 'Takes the templates and flags of `ingot build` and builds nothing. A template is read when its build begins, so that what it says then counts.',
  kind: 'job',
  input: z.object({ ...templatesPosition, ...buildInput }),
  output: z.object({ jobs: z.array(z.object({ id: z.int(), name: z.string() })) }),
  examples: [{ command: 'ingot queue add web.yaml db.yaml', does: 'two builds that wait until a queue run takes them' }],
  async run(input, context) {
    const requests = await requestsOf(context, input.templates, input);
    using queue = await Queue.open(context.host, context.home);
    const jobs = requests.map((request) => jobOf(context, request, request.name ?? shortName(request.template), input));
    const ids = queue.add(jobs);
    return { jobs: jobs.map(({ name }, i) => ({ id: ids[i] ?? 0, name })) };
  },
  render: ({ jobs }) => [...jobs.map(({ id, name }) => `${name} waits as job ${id}.`), '`ingot queue run` builds what waits.'].join('\n'),
});

/** What a job is called until its template was read. */
function shortName(template: string): string {
  return template.slice(template.lastIndexOf('/') + 1).replace(/\.ya?ml$/, '');
}

import * as z from 'zod';
import { formatLeft } from '../base/types.ts';
import { jobEstimates, queueSeconds } from '../queue/estimate.ts';
import { Queue } from '../queue/queue.ts';
import { defineOperation } from './operation.ts';
import { jobSchema, renderJobs, shownJob } from './queue-text.ts';

export default defineOperation({
  name: 'queue list',
  summary: 'List the builds that wait, run, or did not succeed',
  description:
    'Every build is a job: those of `ingot build` while they run, those of `ingot queue add` until a `queue run` takes them. A build whose process was killed is `interrupted`; what it had finished is not lost, and `queue retry` lets it wait again.',
  kind: 'query',
  input: z.object({ all: z.boolean().default(false).describe('Also those that were built, cancelled, or tried again').meta({ short: 'a' }) }),
  output: z.object({
    jobs: z.array(jobSchema),
    secondsLeft: z.number().optional().describe('Until all that waits and runs is done, from how long the same took before'),
  }),
  examples: [
    { command: 'ingot queue list', does: 'what waits, runs or failed' },
    { command: 'ingot queue list --all --json', does: 'everything that is remembered, for a script' },
  ],
  async run(input, context) {
    const { host, home, settings } = context;
    if ((await host.files.status(home.queue)) === undefined) return { jobs: [] };
    using queue = await Queue.open(host, home);
    const jobs = queue.list(input).map((job) => shownJob(job, host.clock.now()));
    const secondsLeft = queueSeconds(jobs, jobEstimates(queue), settings.jobs ?? host.machine.cpus);
    return { jobs, ...(secondsLeft === undefined ? {} : { secondsLeft }) };
  },
  render({ jobs, secondsLeft }, options) {
    if (jobs.length === 0) return 'Nothing waits or runs, and nothing failed. `ingot queue add TEMPLATE` adds a build.';
    const left = secondsLeft === undefined || secondsLeft === 0 ? '' : `\n\n${formatLeft(secondsLeft)}`;
    return `${renderJobs(jobs, options)}${left}`;
  },
});

import * as z from 'zod';
import { IngotError, toIngotError } from '../base/errors.ts';
import { hostPath } from '../base/types.ts';
import type { Job } from '../queue/job.ts';
import { Queue, type Owner } from '../queue/queue.ts';
import { BuildRecorder, takeOwner } from '../queue/recorder.ts';
import { commonSchema, jobsInput, type CommonFlags } from './build-input.ts';
import { builtImage, builtImageSchema, exitCodeOf, renderImages, type BuiltImage } from './build-result.ts';
import { defineOperation, type Context } from './operation.ts';
import { prepareBuilds, runBuilds, type PreparedBuild } from './run-builds.ts';

/** How often the queue is looked at while nothing waits. */
const LOOK_SECONDS = 1;

export default defineOperation({
  name: 'queue run',
  summary: 'Build what waits in the queue',
  description:
    'Takes the builds that wait, those that were added in the same way together, and builds them as `ingot build` does: several at the same time, on shared layers. Any number of these can run at once; each build is taken by one of them.',
  kind: 'job',
  input: z.object({ ...jobsInput, watch: z.boolean().default(false).describe('Go on waiting for new builds, until Ctrl-C').meta({ short: 'w' }) }),
  output: z.object({
    images: z.array(builtImageSchema),
    failed: z.array(z.object({ job: z.int(), name: z.string(), message: z.string() })),
    seconds: z.number(),
  }),
  examples: [
    { command: 'ingot queue run', does: 'builds all that waits' },
    { command: 'ingot queue run --watch --yes', does: 'builds whatever is added, for a service' },
  ],
  async run(input, context) {
    const start = context.host.clock.monotonic();
    using queue = await Queue.open(context.host, context.home);
    await using owner = await takeOwner(context, 'working the queue');
    const done: { images: BuiltImage[]; failed: Refused[] } = { images: [], failed: [] };
    while (!context.signal.aborted) {
      const jobs = queue.claim(owner);
      if (jobs.length > 0) {
        const { images, failed } = await buildJobs(context, queue, owner, jobs, input.jobs);
        done.images.push(...images);
        done.failed.push(...failed);
      } else if (input.watch) {
        await context.host.clock.sleep(LOOK_SECONDS, context.signal).catch(() => undefined);
        await queue.markInterrupted();
      } else {
        break;
      }
    }
    return { ...done, seconds: (context.host.clock.monotonic() - start) / 1000 };
  },
  render({ images, failed, seconds }, options) {
    if (images.length + failed.length === 0) return 'Nothing waited.';
    const refused = failed.map(({ job, name, message }) => `${name} (job ${job}): ${message}`);
    return [...(images.length === 0 ? [] : [renderImages(images, seconds, options)]), ...refused].join('\n');
  },
  exitCode: ({ images, failed }) => exitCodeOf(images) || (failed.length > 0 ? 1 : 0),
});

interface Refused {
  readonly job: number;
  readonly name: string;
  readonly message: string;
}

interface ReadyJob {
  readonly job: Job;
  readonly build: PreparedBuild;
}

/** Builds claimed jobs, which were all asked for in the same way. Each ends in the queue, or is put back. */
async function buildJobs(context: Context, queue: Queue, owner: Owner, jobs: readonly Job[], atOnce: number | undefined) {
  const flags = commonSchema.parse(JSON.parse(jobs[0]?.flags ?? '{}'));
  const folder = jobs[0]?.folder ?? '';
  const there: Context = folder === '' ? context : { ...context, folder: hostPath(folder) };
  const { ready, failed } = await prepareJobs(there, queue, owner, jobs, flags);
  const first = firstOfEachName(ready);
  const later = jobs.filter(({ id }) => !first.some(({ job }) => job.id === id) && !failed.some(({ job }) => job === id));
  queue.putBack(
    later.map(({ id }) => id),
    owner,
  );
  if (first.length === 0) return { images: [], failed };
  for (const { job, build } of first) queue.rename(job.id, build.prepared.plan.template.name);
  await using recorder = new BuildRecorder(there, {
    jobs: first.map(({ job, build }) => ({ ...job, name: build.prepared.plan.template.name })),
    claimed: { queue, owner, ids: first.map(({ job }) => job.id) },
  });
  const results = await runBuilds(
    there,
    first.map(({ build }) => build),
    { flags, jobs: atOnce, debugShell: false, recorder },
  );
  const images = first.flatMap(({ build }, i) => {
    const result = results[i];
    return result === undefined ? [] : [builtImage(build, result)];
  });
  return { images, failed };
}

/** Plans jobs, all together since they share much. Where one of them cannot be planned, each alone: it ends as failed, the others go on. */
async function prepareJobs(
  context: Context,
  queue: Queue,
  owner: Owner,
  jobs: readonly Job[],
  flags: CommonFlags,
): Promise<{ ready: ReadyJob[]; failed: Refused[] }> {
  // The lock of a frozen build lies beside its own template.
  if (!flags.frozen && jobs.length > 1) {
    try {
      const builds = await prepareBuilds(
        context,
        jobs.map(({ request }) => request),
        flags,
      );
      return { ready: pairs(jobs, builds), failed: [] };
    } catch (error) {
      if (!(error instanceof IngotError)) throw error;
    }
  }
  const ready: ReadyJob[] = [];
  const failed: Refused[] = [];
  for (const job of jobs) {
    if (context.signal.aborted) break;
    try {
      ready.push(...pairs([job], await prepareBuilds(context, [job.request], flags)));
    } catch (error) {
      if (context.signal.aborted) break;
      const { code, message } = toIngotError(error);
      queue.finish(job.id, owner, { state: 'failed', seconds: 0, errorCode: code, error: message });
      context.events.message('error', `${job.name}: ${message} (${code})`);
      failed.push({ job: job.id, name: job.name, message });
    }
  }
  return { ready, failed };
}

function pairs(jobs: readonly Job[], builds: readonly PreparedBuild[]): ReadyJob[] {
  return builds.flatMap((build, i) => {
    const job = jobs[i];
    return job === undefined ? [] : [{ job, build }];
  });
}

/** Two builds of one image cannot run at once: the later waits for the next turn. */
function firstOfEachName(jobs: readonly ReadyJob[]): ReadyJob[] {
  const names = new Set<string>();
  return jobs.filter(({ build }) => {
    const { name } = build.prepared.plan.template;
    if (names.has(name)) return false;
    names.add(name);
    return true;
  });
}

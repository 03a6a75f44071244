import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { jobFailureSchema } from './answers.ts';
import type { CloudStackClient } from './client.ts';
import { jobFailure } from './failures.ts';
import { REQUESTS } from './requests.ts';

/** What a client needs of the host. */
export type ClientHost = Pick<Host, 'clock' | 'random' | 'files'>;

/** Seconds between questions: short at first, for what is done at once. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1, 15];
/** Seconds after which a job is no longer waited for: a job says nothing of how far it is. The server gives up itself after an hour. */
const LIMIT = 3600;

/** What the server says of jobs that it did not end itself. */
const CANCELLED = /management server (?:restart|stop|was)|job (?:is |was |has been )?cancel|cancelled because/i;

export interface FollowOptions {
  readonly what: string;
  readonly command: string;
  readonly limit?: number | undefined;
}

/**
 * Waits for the end of a job and returns its result. Throws what its error means, `job-cancelled` where the management server was restarted meanwhile or
 * no longer knows it, and `job-timeout`.
 */
export async function followJob(client: CloudStackClient, jobid: string, options: FollowOptions): Promise<unknown> {
  const { clock } = client.host;
  const { what, command, limit = LIMIT } = options;
  const start = clock.monotonic();
  let pause = FIRST_PAUSE;
  for (;;) {
    const { jobstatus, jobresult } = await state(client, jobid, options);
    if (jobstatus === 1) return jobresult;
    if (jobstatus === 2) {
      const parsed = jobFailureSchema.safeParse(jobresult);
      const failure = parsed.success ? parsed.data : {};
      if (CANCELLED.test(failure.errortext ?? '')) throw cancelled(what, failure.errortext ?? '');
      throw jobFailure(what, `${command}, job ${jobid}`, failure);
    }
    const waited = (clock.monotonic() - start) / 1000;
    if (waited > limit) {
      throw new IngotError('timeout', 'job-timeout', `${what} has not ended after ${Math.round(waited)} s, and its job ${jobid} still runs`, {
        hint: 'Look at the events in the web interface. When it has ended, run the same command again: it goes on from there.',
      });
    }
    await clock.sleep(pause, client.signal);
    pause = Math.min(pause * 1.5, LONGEST_PAUSE);
  }
}

async function state(client: CloudStackClient, jobid: string, { what }: FollowOptions) {
  try {
    return await client.call(REQUESTS.job(jobid));
  } catch (error) {
    if (error instanceof IngotError && error.code === 'remote-missing') throw cancelled(what, 'the server does not know its job any more');
    throw error;
  }
}

function cancelled(what: string, words: string): IngotError {
  return new IngotError('upstream', 'job-cancelled', `${what} was interrupted on the server: ${words.replace(/[.\s]+$/, '')}`);
}

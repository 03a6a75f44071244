/*
 * A process of a test that works the queue of a home with work that makes nothing: `node queue-worker.ts HOME MILLISECONDS`. Tells each job
 * that it has taken and done on a line of its own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { homeAt } from '../../src/base/home.ts';
import { hostPath } from '../../src/base/types.ts';
import { Queue } from '../../src/queue/queue.ts';
import { takeOwner } from '../../src/queue/recorder.ts';
import { quickHost } from './sample-images.ts';

const [root = '', milliseconds = '0'] = process.argv.slice(2);
const [host, home] = [quickHost(), homeAt(hostPath(root))];
using queue = await Queue.open(host, home);
await using owner = await takeOwner({ host, home, signal: new AbortController().signal }, 'a test');
for (;;) {
  const jobs = queue.claim(owner);
  if (jobs.length === 0) break;
  for (const job of jobs) process.stdout.write(`took ${job.id}\n`);
  for (const job of jobs) {
    await sleep(Number(milliseconds));
    if (queue.cancelled(owner).includes(job.id)) {
      queue.finish(job.id, owner, { state: 'cancelled', seconds: 1 });
      continue;
    }
    process.stdout.write(`done ${job.id}\n`);
    queue.finish(job.id, owner, { state: 'done', outcome: 'built', seconds: 1 });
  }
}

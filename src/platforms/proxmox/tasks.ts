import type { z } from 'zod';
import type { Span } from '../../base/events.ts';
import { IngotError } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import type { taskSchema } from './answers.ts';
import type { ProxmoxClient } from './client.ts';
import { taskFailure } from './failures.ts';
import { REQUESTS } from './requests.ts';

/** Seconds without a new line in its log after which a task is no longer waited for. */
const SILENCE_LIMIT = 900;
const [FIRST_PAUSE, LONGEST_PAUSE] = [0.25, 2];
/** Lines of the log that an error shows. */
const TAIL = 20;

export interface FollowOptions {
  /** What it does, for messages: `creating VM 100`. */
  readonly what: string;
  readonly span?: Span | undefined;
  /** Called with what a success warns of. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** The node that a task runs on: its identifier says so. Throws `answer-unknown`. */
export function nodeOfTask(upid: string): string {
  const node = /^UPID:([^:]+):/.exec(upid)?.[1];
  if (node === undefined) throw new IngotError('upstream', 'answer-unknown', `"${upid}" is not the identifier of a task`);
  return node;
}

/**
 * Waits for the end of a task, and passes its log on as it grows. It may take as long as it makes progress: a line in its log is one. Throws
 * `task-failed` (or what its words mean), and `task-timeout` with the end of its log where it has been silent for too long and is found still running.
 */
export async function followTask(client: ProxmoxClient, upid: string, options: FollowOptions): Promise<void> {
  const { clock } = client.host;
  const node = nodeOfTask(upid);
  const log: string[] = [];
  let [lines, heard, pause] = [0, clock.monotonic(), FIRST_PAUSE];
  for (;;) {
    const state = await client.call(REQUESTS.taskStatus(node, upid));
    const fresh = await newLines(client, node, upid, lines);
    lines += fresh.count;
    log.push(...fresh.texts);
    tell(options.span, fresh.texts);
    if (fresh.count > 0) heard = clock.monotonic();
    // The log was read after the end: it is whole.
    if (state.status === 'stopped') return judge(state.exitstatus ?? 'it ended without a status', log, upid, options);
    const silent = (clock.monotonic() - heard) / 1000;
    if (silent > SILENCE_LIMIT) {
      throw new IngotError('timeout', 'task-timeout', `${options.what} has made no progress for ${Math.round(silent)} s, and still runs on ${node}`, {
        detail: [...log.slice(-TAIL), upid].join('\n'),
        hint: 'Look at the task in the web interface. When it has ended, run the same command again: it goes on from there.',
      });
    }
    await clock.sleep(pause, client.signal);
    pause = Math.min(pause * 1.5, LONGEST_PAUSE);
  }
}

function judge(exit: string, log: readonly string[], upid: string, { what, onWarning }: FollowOptions): void {
  if (exit === 'OK') return;
  if (/^WARNINGS: \d+$/.test(exit)) {
    const warnings = log.filter((line) => /warn/i.test(line));
    onWarning?.(`${what} ended with warnings: ${warnings.length > 0 ? warnings.join('; ') : exit}`);
    return;
  }
  throw taskFailure(what, exit, log, upid);
}

async function newLines(client: ProxmoxClient, node: string, upid: string, start: number): Promise<{ count: number; texts: string[] }> {
  const lines = await client.call(REQUESTS.taskLog(node, upid, start));
  const texts = lines.map(({ t }) => t ?? '');
  // What an empty log is answered with.
  if (texts.length === 1 && texts[0] === 'no content') return { count: 0, texts: [] };
  return { count: texts.length, texts };
}

/** `transferred 1.0 GiB of 2.0 GiB (50.00%)`, as qemu-img and the import print it. */
const PERCENT = /\((\d+(?:\.\d+)?)\s*%\)/;

function tell(span: Span | undefined, texts: readonly string[]): void {
  if (span === undefined) return;
  for (const text of texts) span.output(`${text}\n`);
  const percent = texts.map((text) => PERCENT.exec(text)?.[1]).findLast((found) => found !== undefined);
  if (percent !== undefined) span.progress(Number(percent), 100, 'items', '%');
}

export type Matching = (task: z.output<typeof taskSchema>) => boolean;

/** Waits until no task that matches runs on the node: of requests whose answer was lost. How they end is not judged; `stop` ends them. */
export async function settleTasks(client: ProxmoxClient, node: string, matching: Matching, options: { readonly stop?: boolean } = {}): Promise<void> {
  for (const task of await client.call(REQUESTS.activeTasks(node))) {
    if (!matching(task) || task.status === 'stopped') continue;
    if (options.stop === true) await client.call(REQUESTS.stopTask(node, task.upid)).catch(ignoreOwn);
    await followTask(client, task.upid, { what: `the task ${task.type} ${task.id}` }).catch(ignoreOwn);
  }
}

/** A task's own failure is no failure of whoever only waits for its end; a lost server is. */
function ignoreOwn(error: unknown): void {
  if (error instanceof IngotError && ['server-unreachable', 'connection-lost', 'interrupted', 'task-timeout', 'token-refused'].includes(error.code))
    throw error;
  if (!(error instanceof IngotError)) throw error;
}

/** What a client needs of the host. */
export type ClientHost = Pick<Host, 'clock' | 'random' | 'files'>;

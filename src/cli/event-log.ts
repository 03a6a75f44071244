import { join } from 'node:path';
import type { Event } from '../base/events.ts';
import type { Home } from '../base/home.ts';
import { fileTime, type Host } from '../base/host.ts';
import { openLineFile } from '../base/line-file.ts';

/** How many event logs are kept. */
export const KEPT_LOGS = 50;

/** The events of one job on disk, one JSON document per line. */
export interface EventLog {
  readonly path: string;
  write(event: Event): void;
  /** Writes what is left; never throws, since a log that cannot be written must not fail the job. */
  close(): Promise<void>;
}

/** Starts `logs/<time>-<operation>.jsonl`, and removes the oldest logs above {@link KEPT_LOGS}. Writes in the background. */
export function openEventLog(host: Pick<Host, 'files' | 'clock'>, home: Home, operation: string): EventLog {
  const path = join(home.logs, `${fileTime(host.clock)}-${operation.replaceAll(' ', '-')}.jsonl`);
  const file = openLineFile(host, path, () => removeOld(host, home));
  return { path, write: (event) => file.write(JSON.stringify(event)), close: () => file.close() };
}

async function removeOld(host: Pick<Host, 'files'>, home: Home): Promise<void> {
  const logs = (await host.files.list(home.logs)).filter((name) => name.endsWith('.jsonl'));
  // Names start with the time: sorted is oldest first. One place is for the log that starts now.
  for (const name of logs.slice(0, Math.max(0, logs.length - KEPT_LOGS + 1))) await host.files.remove(join(home.logs, name));
}

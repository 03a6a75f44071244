import { join } from 'node:path';
import type { Event } from '../base/events.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';

/** How many event logs are kept. */
export const KEPT_LOGS = 50;
const FLUSH_MILLISECONDS = 250;

/** The events of one job on disk, one JSON document per line. */
export interface EventLog {
  readonly path: string;
  write(event: Event): void;
  /** Writes what is left; never throws, since a log that cannot be written must not fail the job. */
  close(): Promise<void>;
}

/** Starts `logs/<time>-<operation>.jsonl`, and removes the oldest logs above {@link KEPT_LOGS}. Writes in the background. */
export function openEventLog(host: Pick<Host, 'files' | 'clock'>, home: Home, operation: string): EventLog {
  const time = host.clock.now().toISOString().replaceAll(/[-:]/g, '').replace('T', '-').replace('.', '').replace('Z', '');
  const path = join(home.logs, `${time}-${operation.replaceAll(' ', '-')}.jsonl`);
  let waiting = '';
  let writing: Promise<void> = removeOld(host, home).catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const text = waiting;
    waiting = '';
    if (text !== '') writing = writing.then(() => host.files.append(path, text)).catch(() => undefined);
    return writing;
  };
  return {
    path,
    write(event) {
      waiting += `${JSON.stringify(event)}\n`;
      if (timer === undefined) {
        timer = setTimeout(() => void flush(), FLUSH_MILLISECONDS);
        timer.unref();
      }
    },
    close: flush,
  };
}

async function removeOld(host: Pick<Host, 'files'>, home: Home): Promise<void> {
  const logs = (await host.files.list(home.logs)).filter((name) => name.endsWith('.jsonl'));
  // Names start with the time: sorted is oldest first. One place is for the log that starts now.
  for (const name of logs.slice(0, Math.max(0, logs.length - KEPT_LOGS + 1))) await host.files.remove(join(home.logs, name));
}

import { join } from 'node:path';
import { toIngotError } from '../base/errors.ts';
import { Events, type Event } from '../base/events.ts';
import type { Home } from '../base/home.ts';
import { fileTime, type Host } from '../base/host.ts';
import { openLineFile } from '../base/line-file.ts';
import { hostPath, type HostPath, type Name } from '../base/types.ts';
import type { ImageResult } from './images.ts';

/** How many logs are kept of the builds of one image. */
const KEPT_BUILD_LOGS = 20;

/** The log of one build of one image: the events of all layers that it waited for, shared ones included, its gate, and how it ended. */
export interface BuildLog {
  readonly path: HostPath;
  write(event: Event): void;
  /** Writes how it ended, and what is left. */
  end(result: ImageResult): Promise<void>;
}

/** Starts `logs/builds/<name>/<time>.jsonl`, and removes the oldest above {@link KEPT_BUILD_LOGS}. */
export function openBuildLog(host: Host, home: Home, name: Name): BuildLog {
  const folder = join(home.buildLogs, name);
  const path = hostPath(join(folder, `${fileTime(host.clock)}.jsonl`));
  const file = openLineFile(host, path, async () => {
    await host.files.makeDirectory(folder);
    const old = await buildLogs(host, home, name);
    // One place is for the log that starts now.
    for (const each of old.slice(KEPT_BUILD_LOGS - 1)) await host.files.remove(each);
  });
  const write = (event: Event): void => file.write(JSON.stringify(event));
  return {
    path,
    write,
    async end(result) {
      new Events('build', write, host).result(result.status, result.seconds, resultText(result));
      await file.close();
    },
  };
}

/** The logs of an image's builds, the newest first. */
export async function buildLogs(host: Pick<Host, 'files'>, home: Home, name: string): Promise<HostPath[]> {
  const folder = join(home.buildLogs, name);
  // Names start with the time.
  return (await host.files.list(folder))
    .filter((file) => file.endsWith('.jsonl'))
    .toReversed()
    .map((file) => hostPath(join(folder, file)));
}

function resultText(result: ImageResult): string {
  if (result.status === 'skipped') return result.why;
  if (result.status !== 'failed') return `${result.image.digest} is tagged latest and ${result.tag}`;
  const { message, code, detail, hint, problems } = toIngotError(result.error);
  return [
    `${message} (${code})`,
    ...problems.map((problem) => `${problem.path ?? ''}: ${problem.message}`),
    ...(detail === undefined ? [] : [detail]),
    ...(hint === undefined ? [] : [hint]),
  ].join('\n');
}

import { join } from 'node:path';
import type { Host } from './host.ts';
import { BASE_ENVIRONMENT } from './process.ts';

/** Where a program is on the search path that ingot gives to everything it starts; undefined where it is not there. */
export async function findProgram(host: Pick<Host, 'files'>, program: string): Promise<string | undefined> {
  for (const folder of (BASE_ENVIRONMENT['PATH'] ?? '').split(':')) {
    const path = join(folder, program);
    if ((await host.files.status(path)) !== undefined) return path;
  }
  return undefined;
}

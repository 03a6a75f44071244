import { join } from 'node:path';
import { systemErrorCode } from './errors.ts';
import type { Home } from './home.ts';
import { randomId, type Host } from './host.ts';
import { isLocked, takeLock } from './lock.ts';
import { hostPath, type HostPath } from './types.ts';

/** A folder `run/<id>/` of one process, removed when disposed, and swept by the next start where that did not happen. */
export interface Scratch extends AsyncDisposable {
  readonly path: HostPath;
}

/** Makes a scratch folder under a lock that the kernel releases with the process. */
export async function makeScratch(host: Host, home: Home, what: string): Promise<Scratch> {
  const id = randomId(host.random);
  const path = hostPath(join(home.run, id));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => host.files.remove(join(home.locks, `${lockName(id)}.lock`)));
  stack.use(await takeLock(host, home, lockName(id), { what }));
  stack.defer(() => host.files.remove(path));
  await host.files.makeDirectory(path, 0o700);
  const undo = stack.move();
  return { path, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}

/** Removes what killed processes left in `run/`; returns the identifiers swept. Cheap when there is nothing. */
export async function sweepScratch(host: Host, home: Home): Promise<string[]> {
  const swept: string[] = [];
  for (const id of await host.files.list(home.run)) {
    if (isLocked(home, lockName(id))) continue;
    try {
      await host.files.remove(join(home.run, id));
      await host.files.remove(join(home.locks, `${lockName(id)}.lock`));
      await host.files.remove(join(home.locks, `${lockName(id)}.lock.owner`));
      swept.push(id);
    } catch (error) {
      // Left by the root helper of an unprivileged user: its own sweep removes it.
      if (systemErrorCode(error) !== 'EACCES' && systemErrorCode(error) !== 'EPERM') throw error;
    }
  }
  return swept;
}

function lockName(id: string): string {
  return `run-${id}`;
}

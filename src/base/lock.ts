import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import * as z from 'zod';
import { IngotError } from './errors.ts';
import { readTextIfThere } from './files.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';

const ownerSchema = z.object({ pid: z.int(), what: z.string(), since: z.string() });

/** Who holds a lock, as it said itself. */
export type LockOwner = z.output<typeof ownerSchema>;

export interface LockOptions {
  /** What the holder does, for those who wait: `build debian-12`. */
  readonly what: string;
  /** Called once, before waiting, with the owner where it is known. */
  readonly onWait?: (owner: LockOwner | undefined) => void;
  /** `wait` (default), or `fail` with `locked` at once. */
  readonly whenTaken?: 'wait' | 'fail';
  readonly signal?: AbortSignal;
}

const POLL_SECONDS = 0.1;

/**
 * Takes a lock by name until it is disposed. The kernel releases it when the process ends, however it ends: it is
 * an exclusive transaction of an SQLite database, hence a POSIX record lock. The owner is named in a file beside it.
 * Throws `locked` with `whenTaken: 'fail'`, and an AbortError when the signal fires.
 */
export async function takeLock(host: Host, home: Home, name: string, options: LockOptions): Promise<AsyncDisposable> {
  const path = join(home.locks, `${name}.lock`);
  const ownerPath = `${path}.owner`;
  let announced = false;
  for (;;) {
    const database = tryExclusive(path);
    if (database !== undefined) {
      const owner: LockOwner = { pid: process.pid, what: options.what, since: host.clock.now().toISOString() };
      try {
        await host.files.write(ownerPath, JSON.stringify(owner));
      } catch (error) {
        database.close();
        throw error;
      }
      return {
        async [Symbol.asyncDispose]() {
          try {
            await host.files.remove(ownerPath);
          } finally {
            database.close();
          }
        },
      };
    }
    if (options.whenTaken === 'fail' || !announced) {
      const owner = await readOwner(host, ownerPath);
      if (options.whenTaken === 'fail') throw lockedError(name, owner);
      options.onWait?.(owner);
      announced = true;
    }
    await host.clock.sleep(POLL_SECONDS, options.signal);
  }
}

/** Whether anybody holds the lock now. */
export function isLocked(home: Home, name: string): boolean {
  const database = tryExclusive(join(home.locks, `${name}.lock`));
  database?.close();
  return database === undefined;
}

function tryExclusive(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && /database is locked/.test(error.message)) return undefined;
    throw error;
  }
}

async function readOwner(host: Host, path: string): Promise<LockOwner | undefined> {
  const text = await readTextIfThere(host.files, path);
  try {
    return text === undefined ? undefined : ownerSchema.parse(JSON.parse(text));
  } catch {
    return undefined; // being written just now
  }
}

function lockedError(name: string, owner: LockOwner | undefined): IngotError {
  const by = owner === undefined ? 'another process' : `${owner.what} (process ${owner.pid}, since ${owner.since})`;
  return new IngotError('conflict', 'locked', `${name} is in use by ${by}`, { hint: 'Wait until it is done, then try again.' });
}

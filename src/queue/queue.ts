import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';
import { isLocked } from '../base/lock.ts';
import { inTransaction, openQueueDatabase } from './database.ts';
import { jobRowSchema, type Job, type JobEnd, type NewJob } from './job.ts';

/** A process that builds: the name of the lock that it holds as long as it lives, and its process ID for people. */
export interface Owner {
  readonly lock: string;
  readonly pid: number;
}

const OWNER_LOCK = /^(queue-[0-9a-f]+)\.lock$/;
/** Seconds for which an owner's lock that nobody holds is left alone. */
const NEW_SECONDS = 60;

/** Jobs that ended are kept up to this number. */
const KEPT_JOBS = 1000;

/**
 * The builds that wait, run or ran, in the home's database. Safe with any number of processes: every change is one transaction, and a job
 * that runs belongs to a process whose lock the kernel frees when it ends, however that happens.
 */
export class Queue implements Disposable {
  readonly #database: DatabaseSync;
  readonly #host: Pick<Host, 'clock' | 'files'>;
  readonly #home: Home;

  private constructor(database: DatabaseSync, host: Pick<Host, 'clock' | 'files'>, home: Home) {
    this.#database = database;
    this.#host = host;
    this.#home = home;
  }

  /** Throws `queue-newer` and `queue-damaged`. Jobs whose process is gone are marked as interrupted. */
  static async open(host: Pick<Host, 'clock' | 'files'>, home: Home): Promise<Queue> {
    const queue = new Queue(await openQueueDatabase(host, home), host, home);
    try {
      await queue.markInterrupted();
      return queue;
    } catch (error) {
      queue.#database.close();
      throw error;
    }
  }

  /** Adds jobs: to wait, or as running in a process. Returns their numbers. */
  add(jobs: readonly NewJob[], owner?: Owner): number[] {
    const now = this.#now();
    const insert = this.#database.prepare(
      'INSERT INTO jobs (name, request, flags, folder, state, owner, pid, tries, created, started) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    return inTransaction(this.#database, () => {
      const ids = jobs.map((job) => {
        const running: SQLInputValue[] = owner === undefined ? ['queued', null, null, 0, now, null] : ['running', owner.lock, owner.pid, 1, now, now];
        return Number(insert.run(job.name, JSON.stringify(job.request), job.flags, job.folder, ...running).lastInsertRowid);
      });
      this.#database
        .prepare(
          "DELETE FROM jobs WHERE state NOT IN ('queued', 'running') AND id NOT IN (SELECT id FROM jobs WHERE state NOT IN ('queued', 'running') ORDER BY id DESC LIMIT ?)",
        )
        .run(KEPT_JOBS);
      return ids;
    });
  }

  /** Takes the oldest job that waits, and all others that wait and were asked for in the same way: they are this process's from now on. */
  claim(owner: Owner): Job[] {
    return inTransaction(this.#database, () => {
      const oldest = this.#database.prepare("SELECT flags, folder FROM jobs WHERE state = 'queued' ORDER BY id LIMIT 1").get();
      if (oldest === undefined) return [];
      const { flags, folder } = oldest;
      const rows = this.#database
        .prepare(
          "UPDATE jobs SET state = 'running', owner = ?, pid = ?, cancel = 0, tries = tries + 1, started = ?, finished = NULL, seconds = NULL, outcome = NULL, error_code = NULL, error = NULL WHERE state = 'queued' AND flags = ? AND folder = ? RETURNING *",
        )
        .all(owner.lock, owner.pid, this.#now(), flags ?? '', folder ?? '');
      return readJobs(rows).toSorted((a, b) => a.id - b.id);
    });
  }

  /** Puts jobs back that this process has claimed and does not build now. */
  putBack(ids: readonly number[], owner: Owner): void {
    this.#forEach(ids, "UPDATE jobs SET state = 'queued', owner = NULL, pid = NULL, started = NULL, tries = tries - 1 WHERE id = ? AND owner = ?", [
      owner.lock,
    ]);
  }

  /** The name of a job's image, once it is known. */
  rename(id: number, name: string): void {
    this.#database.prepare('UPDATE jobs SET name = ? WHERE id = ?').run(name, id);
  }

  /** Ends a job that this process has; whoever else has it by now keeps it. */
  finish(id: number, owner: Owner, end: JobEnd): void {
    this.#database
      .prepare(
        "UPDATE jobs SET state = ?, seconds = ?, outcome = ?, error_code = ?, error = ?, finished = ?, owner = NULL, pid = NULL, cancel = 0 WHERE id = ? AND owner = ? AND state = 'running'",
      )
      .run(end.state, end.seconds, end.outcome ?? null, end.errorCode ?? null, end.error ?? null, this.#now(), id, owner.lock);
  }

  /** A job by its number; undefined where there is none. */
  find(id: number): Job | undefined {
    return readJobs(this.#database.prepare('SELECT * FROM jobs WHERE id = ?').all(id))[0];
  }

  /** The jobs that wait, run, or did not succeed and were not tried again since; with `all` every one that is kept. Oldest first. */
  list({ all }: { readonly all: boolean }): Job[] {
    const open = `state IN ('queued', 'running') OR (state IN ('failed', 'interrupted') AND NOT EXISTS (SELECT 1 FROM jobs later WHERE later.name = jobs.name AND later.id > jobs.id))`;
    return readJobs(this.#database.prepare(`SELECT * FROM jobs ${all ? '' : `WHERE ${open}`} ORDER BY id`).all());
  }

  /** Cancels a job that waits; asks the process of one that runs to stop it. `over` where it had ended. */
  cancel(id: number): 'cancelled' | 'asked' | 'over' | 'unknown' {
    return inTransaction(this.#database, () => {
      const job = this.find(id);
      if (job === undefined) return 'unknown';
      if (job.state === 'queued' || job.state === 'interrupted') {
        this.#database.prepare("UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ?").run(this.#now(), id);
        return 'cancelled';
      }
      if (job.state !== 'running') return 'over';
      this.#database.prepare('UPDATE jobs SET cancel = 1 WHERE id = ?').run(id);
      return 'asked';
    });
  }

  /** Numbers of the jobs of this process that somebody asked to stop. */
  cancelled(owner: Owner): number[] {
    return this.#database
      .prepare("SELECT id FROM jobs WHERE owner = ? AND state = 'running' AND cancel = 1")
      .all(owner.lock)
      .map(({ id }) => Number(id));
  }

  /** Lets a job that ended wait again. `waiting` where it waits or runs already. */
  retry(id: number): 'queued' | 'waiting' | 'unknown' {
    return inTransaction(this.#database, () => {
      const job = this.find(id);
      if (job === undefined) return 'unknown';
      if (job.state === 'queued' || job.state === 'running') return 'waiting';
      this.#database
        .prepare("UPDATE jobs SET state = 'queued', cancel = 0, started = NULL, finished = NULL, seconds = NULL, error_code = NULL, error = NULL WHERE id = ?")
        .run(id);
      return 'queued';
    });
  }

  /** How long the kinds of work took that were ever done here: seconds by kind and name. */
  times(): { readonly kind: string; readonly name: string; readonly seconds: number }[] {
    return this.#database
      .prepare('SELECT kind, name, seconds FROM times')
      .all()
      .map(({ kind, name, seconds }) => ({ kind: String(kind), name: String(name), seconds: Number(seconds) }));
  }

  /** Remembers how long something took; half of the weight is the newest. */
  learn(kind: string, name: string, seconds: number): void {
    this.#database
      .prepare('INSERT INTO times (kind, name, seconds) VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET seconds = (seconds + excluded.seconds) / 2')
      .run(kind, name, seconds);
  }

  /** Marks the jobs whose process has ended without ending them, and removes its lock. */
  async markInterrupted(): Promise<void> {
    const owners = this.#database
      .prepare("SELECT DISTINCT owner FROM jobs WHERE state = 'running' AND owner IS NOT NULL")
      .all()
      .map(({ owner }) => String(owner));
    for (const owner of owners) {
      if (isLocked(this.#home, owner)) continue;
      this.#database
        .prepare(
          "UPDATE jobs SET state = CASE cancel WHEN 1 THEN 'cancelled' ELSE 'interrupted' END, finished = ?, owner = NULL, pid = NULL, cancel = 0, error = 'Its process ended before it was done' WHERE owner = ? AND state = 'running'",
        )
        .run(this.#now(), owner);
      await removeOwnerLock(this.#host, this.#home, owner);
    }
    await this.#sweepOwners();
  }

  /** Removes the locks of processes that were killed while they had no job. One that is new may belong to a process that is just taking it. */
  async #sweepOwners(): Promise<void> {
    const { files, clock } = this.#host;
    for (const name of await files.list(this.#home.locks)) {
      const lock = OWNER_LOCK.exec(name)?.[1];
      const status = lock === undefined ? undefined : await files.status(join(this.#home.locks, name));
      if (lock === undefined || status === undefined || clock.now().getTime() - status.modified.getTime() < NEW_SECONDS * 1000) continue;
      if (!isLocked(this.#home, lock)) await removeOwnerLock(this.#host, this.#home, lock);
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #forEach(ids: readonly number[], sql: string, more: readonly SQLInputValue[]): void {
    const statement = this.#database.prepare(sql);
    inTransaction(this.#database, () => ids.forEach((id) => statement.run(id, ...more)));
  }

  #now(): string {
    return this.#host.clock.now().toISOString();
  }
}

/** Removes the files of an owner's lock that nobody holds. */
export async function removeOwnerLock(host: Pick<Host, 'files'>, home: Home, lock: string): Promise<void> {
  await host.files.remove(join(home.locks, `${lock}.lock`));
  await host.files.remove(join(home.locks, `${lock}.lock.owner`));
}

function readJobs(rows: readonly unknown[]): Job[] {
  return rows.map((row) => jobRowSchema.parse(row));
}

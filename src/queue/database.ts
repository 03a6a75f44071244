import { DatabaseSync } from 'node:sqlite';
import { IngotError, systemErrorCode } from '../base/errors.ts';
import type { Home } from '../base/home.ts';
import type { Host } from '../base/host.ts';

/** Version of the tables, kept in `user_version`. */
const VERSION = 1;
/** Milliseconds that a statement waits for another process's. */
const BUSY_MILLISECONDS = 10_000;

const TABLES = `
  CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    flags TEXT NOT NULL,
    folder TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    pid INTEGER,
    cancel INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL,
    started TEXT,
    finished TEXT,
    seconds REAL,
    outcome TEXT,
    error_code TEXT,
    error TEXT
  ) STRICT;
  CREATE INDEX jobs_by_state ON jobs (state, id);
  CREATE INDEX jobs_by_name ON jobs (name, id);
  CREATE TABLE times (kind TEXT NOT NULL, name TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (kind, name)) STRICT, WITHOUT ROWID;
`;

/**
 * Opens the home's queue database, made where it is missing, private to its user. Throws `queue-newer` where a newer ingot made it, and
 * `queue-damaged`.
 */
export async function openQueueDatabase(host: Pick<Host, 'files'>, home: Home): Promise<DatabaseSync> {
  try {
    await host.files.write(home.queue, '', { mode: 0o600, exclusive: true });
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
  }
  const database = new DatabaseSync(home.queue, { timeout: BUSY_MILLISECONDS });
  try {
    prepareTables(database, home);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && /not a database|malformed/.test(error.message)) {
      throw new IngotError('verification', 'queue-damaged', `${home.queue} cannot be read as a queue: ${error.message}`, {
        cause: error,
        hint: 'Remove this file: images and logs are not touched, only the list of builds and the estimates start anew.',
      });
    }
    throw error;
  }
}

function prepareTables(database: DatabaseSync, home: Home): void {
  // Readers and one writer at the same time; a power cut can lose the last states, never the file.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  if (versionOf(database) === VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const found = versionOf(database);
    if (found > VERSION) {
      throw new IngotError('host', 'queue-newer', `${home.queue} was made by a newer ingot (version ${found}, this one knows ${VERSION})`, {
        hint: 'Update ingot, or set INGOT_HOME to another folder.',
      });
    }
    if (found === 0) {
      database.exec(TABLES);
      database.exec(`PRAGMA user_version = ${VERSION}`);
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}

/** Does the work in one transaction that keeps other writers out; undone where it throws. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

import type { Event } from './events.ts';
import type { Home } from './home.ts';
import type { Host } from './host.ts';
import { openLineFile } from './line-file.ts';

/*
 * ingot's own log: what every command did, one JSON document per line. It holds names of operations, codes and sentences, which are free of
 * secrets by construction, and never what a command was given.
 */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Bytes above which the log becomes an old one. */
const MAX_SIZE = 4 * 2 ** 20;

/** What a line says besides its message. */
export interface LogFields {
  /** Of an error: stable, `step-failed`. */
  readonly code?: string;
  readonly exitCode?: number;
  readonly seconds?: number;
  /** What it is about: an image. */
  readonly scope?: string;
}

export interface Log {
  write(level: LogLevel, message: string, fields?: LogFields): void;
  /** Takes over what an operation tells its user. */
  event(event: Event): void;
  /** Writes what is left; never throws, since a log that cannot be written must not fail the command. */
  close(): Promise<void>;
}

export interface LogOptions {
  readonly operation: string;
  /** What is less severe is not written. */
  readonly level: LogLevel;
  /** Lines are written together when it ends: of commands that take milliseconds. Else a few times a second. */
  readonly atOnce: boolean;
}

/**
 * Opens `logs/ingot.log` of the home. Any number of processes write it at the same time: each line is appended by one call. A log that has grown
 * too large becomes an old one, and those before it are compressed.
 */
export function openLog(host: Host, home: Home, options: LogOptions): Log {
  const least = LOG_LEVELS.indexOf(options.level);
  const lines: string[] = [];
  const file = options.atOnce ? undefined : openLineFile(host, home.log);
  const log: Log = {
    write(level, message, fields = {}) {
      if (LOG_LEVELS.indexOf(level) < least) return;
      const line = logLine(host, options.operation, level, message, fields);
      if (file === undefined) lines.push(`${line}\n`);
      else file.write(line);
    },
    event(event) {
      const scope = event.scope === undefined ? {} : { scope: event.scope };
      if (event.type === 'message') log.write(event.level, event.text, scope);
      if (event.type === 'span-end' && least === 0) log.write('debug', `a part ended: ${event.status}`, { ...scope, seconds: event.seconds });
    },
    async close() {
      try {
        if (file !== undefined) await file.close();
        else if (lines.length > 0) await host.files.append(home.log, lines.splice(0).join(''));
        if (((await host.files.status(home.log))?.size ?? 0) > MAX_SIZE) await (await import('./log-rotate.ts')).rotateLog(host, home, MAX_SIZE);
      } catch {
        // See above.
      }
    },
  };
  return log;
}

/** One line of the log, without its end. */
export function logLine(host: Pick<Host, 'clock'>, operation: string, level: LogLevel, message: string, fields: LogFields = {}): string {
  return JSON.stringify({ time: host.clock.now().toISOString(), level, operation, pid: process.pid, message, ...fields });
}

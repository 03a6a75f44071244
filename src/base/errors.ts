/**
 * Exit codes of the CLI, one per class of failure. Documented in docs/reference/exit-codes.md.
 * A script tells from the code alone whether trying again, or other input, can help.
 */
export const EXIT_CODES = {
  /** A defect of ingot, or a failure that fits no other class. */
  internal: 1,
  /** The input was wrong: a flag, a name, a file. */
  usage: 2,
  /** What was named does not exist. */
  'not-found': 3,
  /** It exists already, is in use, or is busy. */
  conflict: 4,
  /** This host lacks a tool, a right, memory or an accelerator. */
  host: 5,
  /** A mirror or server did not answer, or answered wrongly. */
  upstream: 6,
  /** Bytes, a signature or a gate did not prove what they should. */
  verification: 7,
  /** No space left on a disk. */
  space: 8,
  /** A command run for the user (a step, a tool) failed. */
  command: 9,
  /** Something waited for did not happen in time. */
  timeout: 10,
  /** Stopped by the user. */
  interrupted: 130,
} as const;

export type ErrorClass = keyof typeof EXIT_CODES;

/** A place in a file the user wrote; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One of several faults of the same input. */
export interface Problem {
  readonly message: string;
  readonly hint?: string;
  /** Where in the input: a path such as `disk.size`, or a flag. */
  readonly path?: string;
  readonly position?: Position;
  /** The line at that place, to be shown below it. */
  readonly source?: string;
}

export interface ErrorOptions {
  /** What the user can do about it, as a sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** All faults of one input, where there is more than one or each has a place. */
  readonly problems?: readonly Problem[];
  /** Longer evidence, shown below the sentence: the last lines of a tool or a console. */
  readonly detail?: string;
}

/**
 * Every failure that ingot foresees. `code` is stable and kebab-case (`release-unknown`), `message` is one
 * sentence without a final stop, the class decides the exit code.
 */
export class IngotError extends Error {
  override readonly name = 'IngotError';
  readonly class: ErrorClass;
  readonly code: string;
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];
  readonly detail: string | undefined;

  constructor(errorClass: ErrorClass, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.class = errorClass;
    this.code = code;
    this.hint = options.hint;
    this.problems = options.problems ?? [];
    this.detail = options.detail;
  }

  get exitCode(): number {
    return EXIT_CODES[this.class];
  }
}

/** The `code` of a Node system error (`ENOENT`), or undefined for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** True where the error, or one of its causes, says that the disk is full. */
export function isOutOfSpace(error: unknown): boolean {
  if (error instanceof SuppressedError) return isOutOfSpace(error.suppressed) || isOutOfSpace(error.error);
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const code = systemErrorCode(e);
    if (code === 'ENOSPC' || code === 'EDQUOT') return true;
    if (/no space left on device/i.test(e.message)) return true;
    if (e instanceof IngotError && (e.class === 'space' || /no space left on device/i.test(e.detail ?? ''))) return true;
  }
  return false;
}

/**
 * Turns whatever was thrown into an IngotError, so that the front ends know one kind. System errors that users
 * can act on (disk full, no permission) get their own code; the rest is `internal`.
 */
export function toIngotError(error: unknown): IngotError {
  if (error instanceof IngotError) return error;
  // Undoing failed as well: the first failure is the cause, the other its consequence.
  if (error instanceof SuppressedError) return toIngotError(error.suppressed);
  const message = error instanceof Error ? error.message : String(error);
  if (isOutOfSpace(error)) {
    return new IngotError('space', 'disk-full', message, { cause: error, hint: 'Free some space, then run the same command again.' });
  }
  const code = systemErrorCode(error);
  if (code === 'EACCES' || code === 'EPERM') {
    return new IngotError('host', 'permission-denied', message, { cause: error });
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new IngotError('interrupted', 'interrupted', 'Stopped before it was done', { cause: error });
  }
  return new IngotError('internal', 'internal', message, { cause: error });
}

/** The names nearest to a mistyped one, best first, at most three; for hints. */
export function nearest(name: string, candidates: Iterable<string>): string[] {
  const limit = Math.max(2, Math.floor(name.length / 3));
  return [...candidates]
    .map((candidate) => ({ candidate, distance: candidate.startsWith(name) ? 1 : editDistance(name, candidate) }))
    .filter(({ candidate, distance }) => distance <= limit && distance < Math.max(name.length, candidate.length)) // some letter is the same
    .sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** How many letters have to be put in, left out, exchanged, or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let [before, previous]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution, swapped));
    }
    [before, previous] = [previous, current];
  }
  return previous[b.length] ?? 0;
}

import { STAGES, type FailureWords, type InstallerKind, type Stage } from './kinds/kind.ts';

/*
 * What an installation is doing, judged by what can be seen from outside: its console, what it fetched, and whether it reads or writes. Pure: time comes in.
 */

/** Why an installation cannot go on. */
export type Verdict =
  | { readonly kind: 'asks'; readonly prompt: string }
  | { readonly kind: 'failed'; readonly failure: FailureWords; readonly line: string }
  | { readonly kind: 'timeout'; readonly stage: Stage; readonly seconds: number };

/** Seconds that a stage may take without any sign of progress, on a processor that is not emulated. */
const STILL_SECONDS: Readonly<Record<Stage, number>> = { firmware: 60, kernel: 180, answers: 300, partitioning: 300, packages: 900, finishing: 600 };
/** What is not still, and does not come forward either: a stage takes no longer than so many times that. */
const LONGEST = 12;
/** Seconds of quiet after which words that ask are taken for a question. */
const ASK_SECONDS = 15;
/** Bytes that a machine reads or writes while it does nothing: file systems tidy up. */
const IDLE_BYTES = 256 * 2 ** 10;
/** Lines of the console that are kept for showing them. */
const KEPT_LINES = 400;
/** Of these at most, the last lines are looked at for a question. */
const PROMPT_LINES = 12;

/** Of every kernel and installer. */
const COMMON_STAGES: InstallerKind['stages'] = [{ stage: 'kernel', pattern: /Linux version \d|Decompressing Linux|^\[ +\d+\.\d+\]/m }];
const COMMON_FAILURES: readonly FailureWords[] = [
  { pattern: /Kernel panic - not syncing/, code: 'install-failed', message: "The installer's kernel panicked" },
  {
    pattern: /No space left on device/,
    code: 'install-no-space',
    message: 'The disk is too small for what is installed',
    hint: 'Give the template a larger `disk.size`.',
  },
];

export interface WatchOptions {
  readonly kind: Pick<InstallerKind, 'stages' | 'prompts' | 'failures'>;
  /** How much slower than its own processor the guest's is. */
  readonly slowness: number;
  /** Seconds of a clock that never jumps. */
  readonly now: number;
}

/** Follows one installation. */
export class InstallWatch {
  readonly #options: WatchOptions;
  #stage: Stage = 'firmware';
  #stageSince: number;
  #movedAt: number;
  #activity = 0;
  #lines: string[] = [];
  #open = '';
  #failure: { failure: FailureWords; line: string } | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#stageSince = options.now;
    this.#movedAt = options.now;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Clean text that the console has shown. */
  console(text: string, now: number): void {
    if (text === '') return;
    this.#movedAt = now;
    const parts = (this.#open + text).split('\n');
    this.#open = (parts.pop() ?? '').slice(-4096);
    for (const line of [...parts, this.#open]) this.#read(line, now);
    this.#lines.push(...parts.filter((line) => line.trim() !== ''));
    this.#lines = this.#lines.slice(-KEPT_LINES);
  }

  /** A file that was fetched; only the first of an answer file's tells that the installer has begun. */
  served(found: boolean, now: number): void {
    this.#movedAt = now;
    if (found) this.#enter('answers', now);
  }

  /** Bytes that the machine has read and written so far. */
  disks(bytes: number, now: number): void {
    if (bytes - this.#activity < IDLE_BYTES) return;
    this.#activity = bytes;
    this.#movedAt = now;
  }

  /** What is wrong by now; undefined while all is well. A failure is told when the machine has come to rest: words alone may be of something harmless. */
  verdict(now: number): Verdict | undefined {
    const { kind, slowness } = this.#options;
    const still = now - this.#movedAt;
    const failed: Verdict | undefined = this.#failure === undefined ? undefined : { kind: 'failed', ...this.#failure };
    if (still >= ASK_SECONDS * slowness && this.#stage !== 'firmware') {
      const tail = this.tail(PROMPT_LINES);
      if (failed !== undefined) return failed;
      if (kind.prompts.some((pattern) => pattern.test(tail))) return { kind: 'asks', prompt: tail };
    }
    const limit = STILL_SECONDS[this.#stage] * slowness;
    const lasted = now - this.#stageSince;
    const seconds = still > limit ? still : lasted > limit * LONGEST ? lasted : undefined;
    return seconds === undefined ? undefined : (failed ?? { kind: 'timeout', stage: this.#stage, seconds: Math.round(seconds) });
  }

  /** The failure that the console told of, whether or not the machine is at rest. */
  get failure(): { readonly failure: FailureWords; readonly line: string } | undefined {
    return this.#failure;
  }

  /** The last lines of the console that hold anything. */
  tail(lines: number): string {
    return [...this.#lines, ...(this.#open.trim() === '' ? [] : [this.#open])].slice(-lines).join('\n');
  }

  #read(line: string, now: number): void {
    const { stages, failures } = this.#options.kind;
    for (const { stage, pattern } of [...COMMON_STAGES, ...stages]) if (pattern.test(line)) this.#enter(stage, now);
    if (this.#failure !== undefined) return;
    const failure = [...failures, ...COMMON_FAILURES].find(({ pattern }) => pattern.test(line));
    if (failure !== undefined) this.#failure = { failure, line: line.trim() };
  }

  /** Stages are never left backwards: the words of an earlier one come again. */
  #enter(stage: Stage, now: number): void {
    if (STAGES.indexOf(stage) <= STAGES.indexOf(this.#stage)) return;
    this.#stage = stage;
    this.#stageSince = now;
    this.#movedAt = now;
  }
}

import { IngotError } from './errors.ts';

export type Argv = readonly [string, ...string[]];

export interface CommandOptions {
  /** The whole environment of the program besides {@link BASE_ENVIRONMENT}; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** Seconds after which the program is ended and `command-timeout` thrown. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Called with each line as it comes, without its end. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Exit codes besides 0 that are answers, not failures. */
  readonly accept?: readonly number[];
  /** Texts that must never be shown; replaced in errors and lines. */
  readonly secrets?: readonly string[];
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: 'pipe' | 'ignore' | 'inherit';
  readonly stdout?: 'pipe' | 'ignore' | 'inherit';
  readonly stderr?: 'pipe' | 'ignore' | 'inherit';
  /** The program outlives ingot, in a session of its own. */
  readonly detached?: boolean;
}

/** Starts programs. The only way in which ingot does: argument vectors, explicit environment, never a shell string. */
export interface Processes {
  /** Runs a program to its end and keeps its output; throws `command-failed`, `command-missing`, `command-timeout`. */
  run(argv: Argv, options?: CommandOptions): Promise<CommandResult>;
  /** Starts a program that one talks to or leaves running. */
  spawn(argv: Argv, options?: SpawnOptions): RunningProcess;
  /**
   * Sends a signal to a process that an earlier ingot started, or by its negative id to the group of a detached one; false where there is none of
   * that id, or it is not ours to signal.
   */
  signal(pid: number, signal: NodeJS.Signals): boolean;
}

export interface RunningProcess {
  readonly pid: number | undefined;
  readonly stdin: NodeJS.WritableStream | null;
  readonly stdout: NodeJS.ReadableStream | null;
  readonly stderr: NodeJS.ReadableStream | null;
  /** Resolves when the program has ended; never rejects. `exitCode` is undefined when a signal ended it. */
  readonly ended: Promise<{ readonly exitCode: number | undefined; readonly signal: string | undefined }>;
  kill(signal?: NodeJS.Signals): void;
}

/** What every program gets: fixed search path and language, so that output can be read the same everywhere. */
export const BASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin',
  LC_ALL: 'C.UTF-8',
};

/** How many of the last lines of a failed program an error shows. */
const TAIL_LINES = 20;

/** The argument vector as a line that can be pasted into a shell. */
export function quoteCommand(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`)).join(' ');
}

function mask(text: string, secrets: readonly string[]): string {
  return secrets.reduce((masked, secret) => (secret === '' ? masked : masked.replaceAll(secret, '***')), text);
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

/** What is thrown for a program that failed, with the end of what it said: `command-failed`. */
export function commandFailed(argv: Argv, result: CommandResult, secrets: readonly string[], signal: string | undefined): IngotError {
  const how = signal === undefined ? `ended with exit code ${result.exitCode}` : `was ended by ${signal}`;
  const output = tail(result.stderr.trim() === '' ? result.stdout : result.stderr);
  return new IngotError('command', 'command-failed', mask(`${argv[0]} ${how}`, secrets), {
    detail: mask(`$ ${quoteCommand(argv)}\n${output}`, secrets),
  });
}

/** What setpriv ends with where the program does not exist. */
const SETPRIV_NOT_FOUND = 127;

/** Makes the kernel (Linux alone can) end a program together with this process, however that ends: one that is waited for must not outlive who waits. */
export function endingWithIngot(argv: Argv, platform: NodeJS.Platform): Argv {
  return platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL', '--', ...argv] : argv;
}

/** The real {@link Processes} of this machine. */
export const hostProcesses: Processes = {
  async run(argv, options = {}) {
    const secrets = options.secrets ?? [];
    const [file, ...args] = endingWithIngot(argv, process.platform);
    // Loaded here, since most commands start no program and all of them feel what is imported.
    const { execa } = await import('execa');
    const subprocess = execa(file, args, {
      env: { ...BASE_ENVIRONMENT, ...options.env },
      extendEnv: false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.stdin === undefined ? { stdin: 'ignore' as const } : { input: options.stdin }),
      ...(options.timeout === undefined ? {} : { timeout: options.timeout * 1000 }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
      reject: false,
      stripFinalNewline: false,
      maxBuffer: 256 * 2 ** 20,
    });
    const onLine = options.onLine;
    if (onLine !== undefined) {
      for (const stream of ['stdout', 'stderr'] as const) {
        void (async () => {
          for await (const line of subprocess.iterable({ from: stream })) onLine(mask(String(line), secrets), stream);
        })().catch(() => undefined);
      }
    }
    const result = await subprocess;
    if (result.isCanceled) throw new IngotError('interrupted', 'interrupted', `Stopped while ${argv[0]} was running`);
    if (result.timedOut) {
      throw new IngotError('timeout', 'command-timeout', `${argv[0]} did not end within ${options.timeout} s`, {
        detail: mask(`$ ${quoteCommand(argv)}\n${tail(`${result.stdout}\n${result.stderr}`)}`, secrets),
      });
    }
    if (result.exitCode === undefined && result.signal === undefined) throw startFailure(argv, result.originalMessage ?? '', result.code);
    if (result.exitCode === SETPRIV_NOT_FOUND && result.stderr.startsWith(`setpriv: failed to execute ${argv[0]}:`)) throw startFailure(argv, '', 'ENOENT');
    const outcome = { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode ?? -1 };
    if (result.signal !== undefined || (outcome.exitCode !== 0 && options.accept?.includes(outcome.exitCode) !== true)) {
      throw commandFailed(argv, outcome, secrets, result.signal);
    }
    return outcome;
  },

  spawn(argv, options = {}) {
    const [file, ...args] = argv;
    // Loaded here for the same reason as execa above.
    const child = process.getBuiltinModule('node:child_process').spawn(file, args, {
      env: { ...BASE_ENVIRONMENT, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [options.stdin ?? 'ignore', options.stdout ?? 'ignore', options.stderr ?? 'ignore'],
      detached: options.detached === true,
    });
    if (options.detached === true) child.unref();
    const endWithIngot = (): void => void child.kill();
    if (options.detached !== true) process.once('exit', endWithIngot);
    const ended = new Promise<{ exitCode: number | undefined; signal: string | undefined }>((resolve) => {
      // `close` comes after the last output has been read; a program that could not be started has only `error`.
      child.once('close', (code, signal) => resolve({ exitCode: code ?? undefined, signal: signal ?? undefined }));
      child.on('error', () => {
        if (child.pid === undefined) resolve({ exitCode: undefined, signal: undefined });
      });
    });
    void ended.then(() => process.off('exit', endWithIngot));
    return { pid: child.pid, stdin: child.stdin, stdout: child.stdout, stderr: child.stderr, ended, kill: (signal) => void child.kill(signal) };
  },

  signal(pid, signal) {
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  },
};

function startFailure(argv: Argv, message: string, code: string | undefined): IngotError {
  if (code === 'ENOENT') {
    return new IngotError('host', 'command-missing', `The program ${argv[0]} is not installed`, {
      hint: 'Run `ingot doctor` to see what is missing and `ingot setup` to install it.',
    });
  }
  return new IngotError('host', 'command-not-started', `${argv[0]} could not be started: ${message}`);
}

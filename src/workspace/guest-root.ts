import type { Argv, CommandResult } from '../base/process.ts';
import type { Executor } from './executor.ts';
import { GUEST_ENVIRONMENT, sandboxed, type SandboxOptions } from './sandbox.ts';

/** A file that is written into a root: an absolute path there, text, octal mode. */
export interface RootFile {
  readonly path: string;
  readonly content: string;
  readonly mode: string;
}

export interface GuestRootOptions {
  readonly readOnly?: Readonly<Record<string, string>>;
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
}

export interface RunInRootOptions extends SandboxOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly accept?: readonly number[];
}

/** Longest that one command of a package manager may take. */
const COMMAND_TIMEOUT = 3600;

/**
 * A Linux root file system that is being changed. Everything happens by commands inside it: Node never opens a path of
 * an image, since a link there would lead it to the host's files.
 */
export class GuestRoot {
  /** Where it is, as the executor sees it. */
  readonly path: string;
  readonly #executor: Executor;
  readonly #options: GuestRootOptions;
  #stubs: Readonly<Record<string, string>> = {};

  constructor(executor: Executor, path: string, options: GuestRootOptions = {}) {
    this.#executor = executor;
    this.path = path;
    this.#options = options;
  }

  /** The folder outside that is bound, read-only, to a path inside. */
  readOnlySource(inside: string): string {
    const outside = this.#options.readOnly?.[inside];
    if (outside === undefined) throw new Error(`${inside} is not bound`);
    return outside;
  }

  /** The command line that runs a program inside. */
  commandLine(argv: readonly string[], options: SandboxOptions = {}): Argv {
    return sandboxed(this.path, argv, { ...options, readOnly: { ...this.#options.readOnly, ...this.#stubs, ...options.readOnly } });
  }

  /** The command line of a shell inside, on the user's terminal. */
  shellCommand(): Argv {
    return this.#executor.terminalCommand([
      'env',
      '-i',
      ...Object.entries(GUEST_ENVIRONMENT).map(([name, value]) => `${name}=${value}`),
      'TERM=linux',
      ...this.commandLine(['/bin/sh', '-i']),
    ]);
  }

  /** Runs a program inside, without network unless asked for; throws `command-failed` with its last lines. */
  async run(argv: Argv, options: RunInRootOptions = {}): Promise<CommandResult> {
    const { env, stdin, timeout = COMMAND_TIMEOUT, accept, ...sandbox } = options;
    const onOutput = this.#options.onOutput;
    return await this.#executor.run(this.commandLine(argv, sandbox), {
      env: { ...GUEST_ENVIRONMENT, ...env },
      timeout,
      shown: argv,
      ...(stdin === undefined ? {} : { stdin }),
      ...(accept === undefined ? {} : { accept }),
      ...(onOutput === undefined ? {} : { onLine: (line: string, stream: 'stdout' | 'stderr') => onOutput(`${line}\n`, stream) }),
    });
  }

  /** Writes files with the given modes, making their folders. */
  async writeFiles(files: readonly RootFile[]): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")"; rm -f "$1"; umask 077; cat >"$1"; chmod "$2" "$1"';
    await Promise.all(files.map((file) => this.run(['sh', '-ec', script, 'sh', file.path, file.mode], { stdin: file.content })));
  }

  /** Names in the root that match shell patterns (relative to it), sorted. */
  async glob(...patterns: readonly string[]): Promise<string[]> {
    const { stdout } = await this.run([
      'sh',
      '-ec',
      'for pattern; do for name in $pattern; do if [ -e "$name" ]; then printf "%s\\n" "$name"; fi; done; done',
      'sh',
      ...patterns,
    ]);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  }

  /** Runs work while programs that exist in the root are replaced by one that does nothing and succeeds. */
  async withStubs<T>(programs: readonly string[], work: () => Promise<T>): Promise<T> {
    const stub = `${this.path}.stub`;
    await this.#executor.run(['sh', '-ec', 'printf "#!/bin/sh\\nexit 0\\n" >"$1"; chmod 755 "$1"', 'sh', stub]);
    const present = await this.glob(...programs.map((program) => program.slice(1)));
    this.#stubs = Object.fromEntries(present.map((program) => [`/${program}`, stub]));
    try {
      return await work();
    } finally {
      this.#stubs = {};
    }
  }

  /** Removes what patterns match and empties files; both relative to the root. */
  async seal(remove: readonly string[], truncate: readonly string[]): Promise<void> {
    await this.run(['sh', '-ec', 'for pattern; do rm -rf -- $pattern; done', 'sh', ...remove]);
    await this.run(['sh', '-ec', 'for file; do : >"$file"; done', 'sh', ...truncate]);
  }
}

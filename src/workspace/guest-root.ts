import type { Argv, CommandResult } from '../base/process.ts';
import type { Executor } from './executor.ts';
import { GUEST_ENVIRONMENT, sandboxed, type SandboxOptions } from './sandbox.ts';

/** A file that is written into a root: an absolute path there, text, octal mode. */
export interface RootFile {
  readonly path: string;
  readonly content: string;
  readonly mode: string;
  /** `user:group` as the image names them; default root. */
  readonly owner?: string;
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
  /** It goes on where the user stops ingot: see `ExecuteOptions`. */
  readonly uninterrupted?: boolean;
  /** Its output is an answer for ingot, and not shown. */
  readonly quiet?: boolean;
}

/** Where a stub notes inside that it was called. */
const CALLED = '/run/ingot-called';

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
  readonly #readOnly: Record<string, string>;
  #stubs: Readonly<Record<string, string>> = {};
  #called: Readonly<Record<string, string>> = {};

  constructor(executor: Executor, path: string, options: GuestRootOptions = {}) {
    this.#executor = executor;
    this.path = path;
    this.#options = options;
    this.#readOnly = { ...options.readOnly };
  }

  /** Binds a folder or file outside, read-only, to a path inside, from now on. */
  bindReadOnly(inside: string, outside: string): void {
    this.#readOnly[inside] = outside;
  }

  /** The folder outside that is bound, read-only, to a path inside. */
  readOnlySource(inside: string): string {
    const outside = this.#readOnly[inside];
    if (outside === undefined) throw new Error(`${inside} is not bound`);
    return outside;
  }

  /** The command line that runs a program inside. */
  commandLine(argv: readonly string[], options: SandboxOptions = {}): Argv {
    const bind = { ...this.#called, ...options.bind };
    return sandboxed(this.path, argv, { ...options, bind, readOnly: { ...this.#readOnly, ...this.#stubs, ...options.readOnly } });
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
    const { env, stdin, timeout = COMMAND_TIMEOUT, accept, uninterrupted, quiet, ...sandbox } = options;
    const onOutput = quiet === true ? undefined : this.#options.onOutput;
    return await this.#executor.run(this.commandLine(argv, sandbox), {
      env: { ...GUEST_ENVIRONMENT, ...env },
      timeout,
      shown: argv,
      ...(stdin === undefined ? {} : { stdin }),
      ...(accept === undefined ? {} : { accept }),
      ...(uninterrupted === undefined ? {} : { uninterrupted }),
      ...(onOutput === undefined ? {} : { onLine: (line: string, stream: 'stdout' | 'stderr') => onOutput(`${line}\n`, stream) }),
    });
  }

  /** Writes files with the given modes and owners, making their folders. */
  async writeFiles(files: readonly RootFile[]): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")"; rm -f "$1"; umask 077; cat >"$1"; chown -h "$3" "$1"; chmod "$2" "$1"';
    await Promise.all(
      files.map(({ path, mode, owner, content }) => this.run(['sh', '-ec', script, 'sh', path, mode, owner ?? 'root:root'], { stdin: content })),
    );
  }

  /** A file outside the root that the next runs can bind into it; gone with the place. Returns its path as the executor sees it. */
  async scratchFile(name: string, content: string, mode: string, encoding: 'text' | 'base64' = 'text'): Promise<string> {
    const path = `${this.path}.${name}`;
    const read = encoding === 'text' ? 'cat' : 'base64 -d';
    await this.#executor.run(['sh', '-ec', `rm -f "$1"; umask 077; ${read} >"$1"; chmod "$2" "$1"`, 'sh', path, mode], { stdin: content });
    return path;
  }

  /** An empty folder in memory, outside the root, that the next runs can bind into it; gone with the workspace. Returns its path as the executor sees it. */
  async scratchFolder(name: string, mode: string): Promise<string> {
    const path = `${this.path}.${name}`;
    await this.#executor.run(['sh', '-ec', 'mkdir -p "$1"; mount -t tmpfs -o "mode=$2,nosuid,nodev" tmpfs "$1"', 'sh', path, mode]);
    return path;
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

  /**
   * Runs work while programs that exist in the root are replaced by one that does nothing and succeeds. Returns those that were called.
   */
  async withStubs(programs: readonly string[], work: () => Promise<unknown>): Promise<string[]> {
    const stub = await this.scratchFile('stub', `#!/bin/sh\n: >"${CALLED}/$(basename "$0")"\nexit 0\n`, '755');
    const called = `${this.path}.called`;
    await this.#executor.run(['sh', '-ec', 'rm -rf "$1"; mkdir -m 1777 "$1"', 'sh', called]);
    const present = await this.glob(...programs.map((program) => program.slice(1)));
    this.#stubs = Object.fromEntries(present.map((program) => [`/${program}`, stub]));
    this.#called = { [CALLED]: called };
    try {
      await work();
    } finally {
      this.#stubs = {};
      this.#called = {};
    }
    const names = (await this.#executor.run(['ls', '-A', called])).stdout.split('\n');
    return programs.filter((program) => names.includes(program.slice(program.lastIndexOf('/') + 1)));
  }

  /** Removes what patterns match, removes the files below folders, and empties files; all relative to the root. */
  async seal(remove: readonly string[], truncate: readonly string[], emptyFolders: readonly string[] = []): Promise<void> {
    const script = [
      // One program for all, which takes time to start in a helper VM; where patterns match more than a command line holds, xargs starts some.
      'all=; until [ "$1" = -- ]; do all="$all $1"; shift; done; shift; printf \'%s\\0\' $all | xargs -0 rm -rf --',
      'until [ "$1" = -- ]; do find "$1" -xdev ! -type d -delete 2>/dev/null || [ ! -d "$1" ]; shift; done; shift',
      // A step may have put a link or a folder there.
      'for file; do if [ -f "$file" ] && [ ! -L "$file" ]; then : >"$file"; else rm -rf -- "$file"; : >"$file"; chmod 444 "$file"; fi; done',
    ];
    await this.run(['sh', '-ec', script.join('\n'), 'sh', ...remove, '--', ...emptyFolders, '--', ...truncate]);
  }
}

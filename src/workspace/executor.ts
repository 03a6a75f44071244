import type { Argv, CommandResult } from '../base/process.ts';

export interface ExecuteOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Seconds; then the command and all that it started are ended and `command-timeout` is thrown. */
  readonly timeout?: number;
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  readonly accept?: readonly number[];
  /** It takes back what must not stay half done: where the user stops ingot, it goes on to its end, or to its `timeout`. */
  readonly uninterrupted?: boolean;
  /** The command as errors show it, without what only brings it to its place. */
  readonly shown?: Argv;
}

/**
 * Runs commands as root in a place whose processes and mounts vanish with ingot: a namespace of this host, or the
 * helper VM. All that workspaces and sources do to a disk goes through one.
 */
export interface Executor extends AsyncDisposable {
  /** Runs a command to its end; throws `command-failed`, `command-timeout`, and `workspace-lost` where the place itself is gone. */
  run(argv: Argv, options?: ExecuteOptions): Promise<CommandResult>;
  /** Starts a command that ends with the place, and not where the user stops ingot: what takes something back then may need it. Resolves once it runs. */
  start(argv: Argv, options?: ExecuteOptions): Promise<BackgroundCommand>;
  /** The command line that runs `argv` there with the user's terminal. */
  terminalCommand(argv: Argv): Argv;
}

export interface BackgroundCommand {
  readonly pid: number;
  /** Resolves when it has ended, however. */
  readonly ended: Promise<CommandResult>;
  kill(): void;
}

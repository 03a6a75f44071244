import { StringDecoder } from 'node:string_decoder';
import type { IngotError } from './errors.ts';
import type { Host } from './host.ts';
import { commandFailed, endingWithIngot, type Argv, type RunningProcess, type SpawnOptions } from './process.ts';

/** How much of what a program wrote to stderr is kept, in characters. */
const KEPT = 4096;

/** A program that works beside ingot and ends with it, however that ends. Disposing ends it by force, and waits until it has. */
export interface AttachedProgram extends RunningProcess, AsyncDisposable {
  /** The end of what it wrote to stderr, where that is a pipe. */
  words(): string;
  /** What is thrown where it has not done its work, with its words: `command-failed`. */
  failure(): Promise<IngotError>;
}

/** Starts a program to read from, or to write to, while it runs. */
export function attach(host: Pick<Host, 'processes' | 'machine'>, argv: Argv, options: SpawnOptions): AttachedProgram {
  const running = host.processes.spawn(endingWithIngot(argv, host.machine.platform), options);
  let words = '';
  const decoder = new StringDecoder('utf8');
  running.stderr?.on('data', (bytes: Buffer) => (words = (words + decoder.write(bytes)).slice(-KEPT)));
  return {
    ...running,
    words: () => words.trim(),
    async failure() {
      const { exitCode, signal } = await running.ended;
      return commandFailed(argv, { stdout: '', stderr: words, exitCode: exitCode ?? -1 }, [], signal);
    },
    async [Symbol.asyncDispose]() {
      running.kill('SIGKILL');
      await running.ended;
    },
  };
}

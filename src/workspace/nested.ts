import type { Argv, CommandResult } from '../base/process.ts';
import type { BackgroundCommand, ExecuteOptions, Executor } from './executor.ts';

/** Seconds for a process to have got its namespace. */
const START_SECONDS = 20;

/** Runs commands in a mount namespace of its own, inside the one of another executor. What is mounted in it stays in it. */
export class NestedExecutor implements Executor {
  readonly #outer: Executor;
  readonly #keeper: BackgroundCommand;
  readonly #enter: Argv;

  private constructor(outer: Executor, keeper: BackgroundCommand) {
    this.#outer = outer;
    this.#keeper = keeper;
    this.#enter = ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`, '--'];
  }

  static async start(outer: Executor): Promise<NestedExecutor> {
    const keeper = await outer.start(['unshare', '--mount', '--propagation', 'slave', '--', 'sleep', 'infinity']);
    const own = 'until [ "$(readlink /proc/self/ns/mnt)" != "$(readlink "/proc/$1/ns/mnt")" ]; do sleep 0.005; done';
    await outer.run(['sh', '-c', own, 'sh', String(keeper.pid)], { timeout: START_SECONDS });
    return new NestedExecutor(outer, keeper);
  }

  run(argv: Argv, options?: ExecuteOptions): Promise<CommandResult> {
    return this.#outer.run([...this.#enter, ...argv], { shown: argv, ...options });
  }

  start(argv: Argv, options?: ExecuteOptions): Promise<BackgroundCommand> {
    return this.#outer.start([...this.#enter, ...argv], { shown: argv, ...options });
  }

  terminalCommand(argv: Argv): Argv {
    return this.#outer.terminalCommand([...this.#enter, ...argv]);
  }

  /** Ends the namespace, and with it what is mounted there alone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#keeper.kill();
    await this.#keeper.ended;
  }
}

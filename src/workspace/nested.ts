import { IngotError } from '../base/errors.ts';
import type { Argv, CommandResult } from '../base/process.ts';
import type { BackgroundCommand, ExecuteOptions, Executor } from './executor.ts';

/** Seconds for a process to have got its namespace. */
const START_SECONDS = 60;

/** Runs commands in a mount namespace of its own, inside the one of another executor. What is mounted in it stays in it. */
export class NestedExecutor implements Executor {
  readonly #outer: Executor;
  readonly #keeper: BackgroundCommand;
  readonly #enter: Argv;

  /** An empty folder, made for it. */
  readonly folder: string;

  private constructor(outer: Executor, keeper: BackgroundCommand, folder: string) {
    this.#outer = outer;
    this.folder = folder;
    this.#keeper = keeper;
    this.#enter = ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`, '--'];
  }

  /** Starts the namespace and makes an empty folder below `parent`. Throws `workspace-lost` where that fails. */
  static async start(outer: Executor, parent: string): Promise<NestedExecutor> {
    const made = Promise.withResolvers<string>();
    const keep: Argv = ['sh', '-ec', 'mktemp -d "$1/root-XXXXXX"; exec sleep infinity', 'sh', parent];
    const keeper = await outer.start(['unshare', '--mount', '--propagation', 'slave', '--', ...keep], {
      onLine: (line, stream) => stream === 'stdout' && made.resolve(line),
    });
    const lost = (detail: string): void => made.reject(new IngotError('host', 'workspace-lost', 'The workspace got no mount namespace of its own', { detail }));
    const late = setTimeout(lost, START_SECONDS * 1000, `Nothing was heard of it for ${START_SECONDS} s.`);
    void keeper.ended.then(({ stderr }) => lost(stderr));
    try {
      return new NestedExecutor(outer, keeper, await made.promise);
    } catch (error) {
      keeper.kill();
      throw error;
    } finally {
      clearTimeout(late);
    }
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

import { createInterface } from 'node:readline';
import { IngotError } from '../base/errors.ts';
import { BASE_ENVIRONMENT, quoteCommand, type Argv, type CommandResult } from '../base/process.ts';
import type { BackgroundCommand, ExecuteOptions, Executor } from './executor.ts';
import type { HelperAnswer, HelperRequest } from './helper.ts';

const TAIL_LINES = 20;

/** The way to a helper that runs somewhere. */
export interface HelperConnection {
  readonly input: NodeJS.WritableStream;
  readonly output: NodeJS.ReadableStream;
  /** Resolves when the helper, or the place that it runs in, is gone; never rejects. */
  readonly ended: Promise<unknown>;
  /** What the place said last: evidence for `workspace-lost`. */
  lastWords(): Promise<string>;
  /** The command line that runs `argv` there with the user's terminal. */
  terminalCommand(argv: Argv): Argv;
  /** Ends the helper and all that it started; resolves when they are gone. */
  close(): Promise<void>;
}

interface Pending {
  readonly argv: Argv;
  readonly options: ExecuteOptions;
  stdout: string;
  stderr: string;
  readonly partial: { stdout: string; stderr: string };
  timedOut: boolean;
  readonly onStarted: (pid: number) => void;
  readonly onExit: (answer: Extract<HelperAnswer, { type: 'exit' }>) => void;
  readonly onLost: (error: IngotError) => void;
}

/** Runs commands through a helper, wherever that is. */
export class HelperExecutor implements Executor {
  readonly #helper: HelperConnection;
  readonly #signal: AbortSignal;
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  #lost: IngotError | undefined;

  constructor(helper: HelperConnection, signal: AbortSignal) {
    this.#helper = helper;
    this.#signal = signal;
    createInterface({ input: helper.output }).on('line', (line) => this.#answered(JSON.parse(line)));
    helper.input.on('error', () => undefined); // its end is noticed by `ended`
    void helper.ended.then(() => this.#lose());
  }

  async run(argv: Argv, options: ExecuteOptions = {}): Promise<CommandResult> {
    const { result } = this.#send(argv, options);
    return await result;
  }

  async start(argv: Argv, options: ExecuteOptions = {}): Promise<BackgroundCommand> {
    const { id, started, result } = this.#send(argv, { ...options, accept: [], uninterrupted: true });
    const ended = result.catch((error: unknown): CommandResult => ({
      stdout: '',
      stderr: error instanceof IngotError ? (error.detail ?? error.message) : String(error),
      exitCode: -1,
    }));
    const pid = await Promise.race([started, result.then(() => 0)]);
    return { pid, ended, kill: () => this.#write({ type: 'kill', id }) };
  }

  terminalCommand(argv: Argv): Argv {
    return this.#helper.terminalCommand(argv);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#helper.close();
  }

  #send(argv: Argv, options: ExecuteOptions): { id: number; started: Promise<number>; result: Promise<CommandResult> } {
    if (this.#lost !== undefined) throw this.#lost;
    const id = this.#next++;
    const started = Promise.withResolvers<number>();
    const result = Promise.withResolvers<CommandResult>();
    const timer = options.timeout === undefined ? undefined : setTimeout(() => this.#timeOut(id), options.timeout * 1000);
    const abort = (): void => this.#write({ type: 'kill', id });
    if (options.uninterrupted !== true) this.#signal.addEventListener('abort', abort);
    const settle = (): void => {
      clearTimeout(timer);
      this.#signal.removeEventListener('abort', abort);
      this.#pending.delete(id);
    };
    started.promise.catch(() => undefined);
    const pending: Pending = {
      argv,
      options,
      stdout: '',
      stderr: '',
      partial: { stdout: '', stderr: '' },
      timedOut: false,
      onStarted: started.resolve,
      onExit: (answer) => {
        settle();
        try {
          result.resolve(this.#outcome(pending, answer));
        } catch (error) {
          result.reject(error);
        }
      },
      onLost: (error) => {
        settle();
        started.reject(error);
        result.reject(error);
      },
    };
    this.#pending.set(id, pending);
    this.#write({ type: 'run', id, argv, env: { ...BASE_ENVIRONMENT, ...options.env }, ...(options.stdin === undefined ? {} : { stdin: options.stdin }) });
    if (this.#signal.aborted && options.uninterrupted !== true) abort();
    return { id, started: started.promise, result: result.promise };
  }

  #write(request: HelperRequest): void {
    if (this.#lost === undefined) this.#helper.input.write(`${JSON.stringify(request)}\n`);
  }

  #answered(answer: HelperAnswer): void {
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    if (answer.type === 'started') return pending.onStarted(answer.pid);
    if (answer.type === 'exit') return pending.onExit(answer);
    pending[answer.stream] += answer.text;
    const lines = (pending.partial[answer.stream] + answer.text).split('\n');
    pending.partial[answer.stream] = lines.pop() ?? '';
    for (const line of lines) pending.options.onLine?.(line, answer.stream);
  }

  #outcome(pending: Pending, answer: Extract<HelperAnswer, { type: 'exit' }>): CommandResult {
    const { options, stdout, stderr } = pending;
    const argv = options.shown ?? pending.argv;
    const detail = `$ ${quoteCommand(argv)}\n${tail(stderr.trim() === '' ? stdout : `${stdout}\n${stderr}`)}`;
    if (this.#signal.aborted && options.uninterrupted !== true) throw new IngotError('interrupted', 'interrupted', `Stopped while ${argv[0]} was running`);
    if (pending.timedOut) throw new IngotError('timeout', 'command-timeout', `${argv[0]} did not end within ${options.timeout} s`, { detail });
    if (answer.error !== undefined) throw new IngotError('host', 'command-not-started', `${argv[0]} could not be started: ${answer.error}`);
    if (answer.code !== 0 && options.accept?.includes(answer.code) !== true) {
      const how = answer.signal === undefined ? `ended with exit code ${answer.code}` : `was ended by ${answer.signal}`;
      throw new IngotError('command', 'command-failed', `${argv[0]} ${how}`, { detail });
    }
    return { stdout, stderr, exitCode: answer.code };
  }

  #timeOut(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.timedOut = true;
    this.#write({ type: 'kill', id });
  }

  async #lose(): Promise<void> {
    const words = this.#signal.aborted ? '' : await this.#helper.lastWords();
    this.#lost = this.#signal.aborted
      ? new IngotError('interrupted', 'interrupted', 'Stopped before it was done')
      : new IngotError('host', 'workspace-lost', 'The workspace ended before its work was done', words === '' ? {} : { detail: tail(words) });
    for (const pending of this.#pending.values()) pending.onLost(this.#lost);
  }
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { IngotError } from '../base/errors.ts';
import { BASE_ENVIRONMENT, quoteCommand, type Argv, type CommandResult, type RunningProcess } from '../base/process.ts';
import type { Context } from '../operations/operation.ts';
import type { BackgroundCommand, ExecuteOptions, Executor } from './executor.ts';
import type { HelperAnswer, HelperRequest } from './helper.ts';

declare const INGOT_HELPER: string | undefined;

/** The helper's file: a chunk of the bundle, else its source. */
function helperFile(): string {
  const relative = typeof INGOT_HELPER === 'undefined' ? './helper.ts' : INGOT_HELPER;
  return fileURLToPath(new URL(relative, import.meta.url));
}

const TAIL_LINES = 20;

/**
 * Starts the helper as root in a PID and mount namespace of its own. As another user than root it goes through sudo,
 * which is said first; throws `root-needed` where sudo would need a password and nobody can be asked.
 */
export async function startHostExecutor(context: Pick<Context, 'host' | 'events' | 'signal'>): Promise<Executor> {
  const { host } = context;
  const isolated = [
    '--json-status-fd',
    '2',
    '--die-with-parent',
    '--unshare-pid',
    '--unshare-ipc',
    '--dev-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    '--',
    process.execPath,
    helperFile(),
  ];
  if (host.machine.uid !== 0) await checkSudo(context);
  const argv: Argv = host.machine.uid === 0 ? ['bwrap', ...isolated] : ['sudo', '--', 'bwrap', ...isolated];
  const helper = host.processes.spawn(argv, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
  const executor = new HostExecutor(helper, context.signal, host.machine.uid === 0);
  await executor.run(['true']);
  return executor;
}

async function checkSudo(context: Pick<Context, 'host' | 'events'>): Promise<void> {
  const { processes } = context.host;
  const free = await processes.run(['sudo', '-n', 'true'], { accept: [1] }).catch(() => undefined);
  if (free === undefined || (free.exitCode !== 0 && !process.stdin.isTTY)) {
    throw new IngotError('host', 'root-needed', 'Building opens disks, which needs root on this host', {
      hint: 'Run it in a terminal where sudo can ask for your password, or as root.',
    });
  }
  context.events.message('info', 'The workspace helper runs as root, through sudo; everything else stays yours.');
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

class HostExecutor implements Executor {
  readonly #helper: RunningProcess;
  readonly #signal: AbortSignal;
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  #stderr: string[] = [];
  /** PID on the host of the namespace's first process. */
  #namespacePid: number | undefined;
  #lost: IngotError | undefined;

  readonly #root: boolean;

  constructor(helper: RunningProcess, signal: AbortSignal, root: boolean) {
    this.#helper = helper;
    this.#root = root;
    this.#signal = signal;
    if (helper.stdout === null || helper.stderr === null || helper.stdin === null) throw new Error('the helper has no pipes');
    createInterface({ input: helper.stdout }).on('line', (line) => this.#answered(JSON.parse(line)));
    createInterface({ input: helper.stderr }).on('line', (line) => this.#complained(line));
    helper.stdin.on('error', () => undefined); // its end is noticed by `ended`
    void helper.ended.then(() => this.#lose());
  }

  async run(argv: Argv, options: ExecuteOptions = {}): Promise<CommandResult> {
    const { result } = this.#send(argv, options);
    return await result;
  }

  async start(argv: Argv, options: ExecuteOptions = {}): Promise<BackgroundCommand> {
    const { id, started, result } = this.#send(argv, { ...options, accept: [] });
    const ended = result.catch((error: unknown): CommandResult => ({
      stdout: '',
      stderr: error instanceof IngotError ? (error.detail ?? error.message) : String(error),
      exitCode: -1,
    }));
    const pid = await Promise.race([started, result.then(() => 0)]);
    return { pid, ended, kill: () => this.#write({ type: 'kill', id }) };
  }

  terminalCommand(argv: Argv): Argv {
    const enter = ['nsenter', '--target', String(this.#namespacePid), '--mount', '--pid', '--', ...argv] as const;
    return this.#root ? enter : ['sudo', '--', ...enter];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#helper.stdin?.end();
    await this.#helper.ended;
  }

  #send(argv: Argv, options: ExecuteOptions): { id: number; started: Promise<number>; result: Promise<CommandResult> } {
    if (this.#lost !== undefined) throw this.#lost;
    const id = this.#next++;
    const started = Promise.withResolvers<number>();
    const result = Promise.withResolvers<CommandResult>();
    const timer = options.timeout === undefined ? undefined : setTimeout(() => this.#timeOut(id), options.timeout * 1000);
    const abort = (): void => this.#write({ type: 'kill', id });
    this.#signal.addEventListener('abort', abort);
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
    if (this.#signal.aborted) abort();
    return { id, started: started.promise, result: result.promise };
  }

  #write(request: HelperRequest): void {
    if (this.#lost === undefined) this.#helper.stdin?.write(`${JSON.stringify(request)}\n`);
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

  /** bwrap reports its child's PID as a JSON line (--json-status-fd); all else on this stream is a complaint. */
  #complained(line: string): void {
    const childPid = /^\{\s*"child-pid":\s*(\d+)/.exec(line)?.[1];
    if (childPid !== undefined) this.#namespacePid = Number(childPid);
    else if (!line.startsWith('{')) this.#stderr = [...this.#stderr, line].slice(-TAIL_LINES);
  }

  #outcome(pending: Pending, answer: Extract<HelperAnswer, { type: 'exit' }>): CommandResult {
    const { options, stdout, stderr } = pending;
    const argv = options.shown ?? pending.argv;
    const detail = `$ ${quoteCommand(argv)}\n${tail(stderr.trim() === '' ? stdout : `${stdout}\n${stderr}`)}`;
    if (this.#signal.aborted) throw new IngotError('interrupted', 'interrupted', `Stopped while ${argv[0]} was running`);
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

  #lose(): void {
    this.#lost = this.#signal.aborted
      ? new IngotError('interrupted', 'interrupted', 'Stopped before it was done')
      : new IngotError('host', 'workspace-lost', 'The workspace helper ended before its work was done', {
          ...(this.#stderr.length === 0 ? {} : { detail: this.#stderr.join('\n') }),
        });
    for (const pending of this.#pending.values()) pending.onLost(this.#lost);
  }
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}

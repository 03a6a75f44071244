import { connect, type Socket } from 'node:net';
import * as z from 'zod';
import { IngotError, systemErrorCode } from '../../base/errors.ts';
import type { Host } from '../../base/host.ts';
import { withinSeconds } from '../../base/time-limit.ts';
import type { HostPath } from '../../base/types.ts';

/*
 * The QEMU guest agent's protocol (QEMU: docs/interop/qemu-ga-ref): JSON objects, one per line, over a serial port. There is no greeting, and
 * old agents repeat no ids: answers come in the order of the commands. What an earlier client did not wait for may still arrive, so a
 * conversation begins with a synchronisation, whose answer has the byte 0xFF in front.
 */

const messageSchema = z.union([z.object({ error: z.object({ desc: z.string() }) }), z.object({ return: z.unknown() })]);
const exitStatusSchema = z.object({
  exited: z.boolean(),
  exitcode: z.int().optional(),
  signal: z.int().optional(),
  'out-data': z.string().optional(),
  'err-data': z.string().optional(),
});
const startedSchema = z.object({ pid: z.int() });

/** How a command that the agent ran has ended. */
export interface AgentCommandResult {
  /** Undefined where a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AgentCommandOptions {
  /** What the command gets as its standard input. */
  readonly input?: string | Uint8Array;
  /** Seconds for the command; default 60. It is not ended by running out of them. */
  readonly timeout?: number;
}

/** A conversation with the agent in a guest. */
export interface Agent {
  /** Runs a command of the agent and returns its answer. Throws `agent-refused` with its words, `agent-silent`, `agent-gone`. */
  execute(command: string, parameters?: Readonly<Record<string, unknown>>, seconds?: number): Promise<unknown>;
  /**
   * Flushes and stops all writing to the guest's filesystems, until {@link thaw}; returns how many. Where that fails half-way, they are
   * thawed again. While they are frozen, the agent does nothing but thaw.
   */
  freeze(seconds?: number): Promise<number>;
  /** Ends {@link freeze}; returns how many filesystems were thawed. */
  thaw(seconds?: number): Promise<number>;
  /** Runs a program in the guest, as root, without a shell; any exit code is an answer. Throws `agent-command-timeout` besides what `execute` throws. */
  run(argv: readonly [string, ...string[]], options?: AgentCommandOptions): Promise<AgentCommandResult>;
}

export interface AgentOptions {
  /** Seconds for the agent to answer for the first time, the end of another conversation included; default 5. */
  readonly seconds?: number;
  readonly signal?: AbortSignal;
}

const GREETING_SECONDS = 5;
const ANSWER_SECONDS = 10;
const FREEZE_SECONDS = 60;
const COMMAND_SECONDS = 60;
const POLL_SECONDS = 0.1;
const SLOWEST_POLL_SECONDS = 1;
const SYNC_BYTE = 0xff;

/**
 * Talks with the agent in a guest, whose socket is `agent` of guestFiles; the connection is closed in any case. One conversation takes place at a
 * time: another one is waited for. Throws `agent-silent` where no agent answers (it is not installed, or not started yet), `agent-gone` where
 * the machine has ended.
 */
export async function withAgent<T>(host: Host, socketPath: HostPath, talk: (agent: Agent) => Promise<T>, options: AgentOptions = {}): Promise<T> {
  const seconds = options.seconds ?? GREETING_SECONDS;
  const start = host.clock.monotonic();
  using connection = new Connection(await openSocket(host, socketPath, seconds, options.signal), host);
  const hangUp = (): void => connection[Symbol.dispose]();
  options.signal?.addEventListener('abort', hangUp);
  try {
    await connection.synchronise(Math.max(0.1, seconds - (host.clock.monotonic() - start) / 1000));
    return await talk(agentOn(connection, host, options.signal));
  } catch (error) {
    options.signal?.throwIfAborted();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', hangUp);
  }
}

function agentOn(connection: Connection, host: Host, signal: AbortSignal | undefined): Agent {
  const execute: Agent['execute'] = (command, parameters, seconds) => connection.execute(command, parameters, seconds);
  const thaw: Agent['thaw'] = async (seconds = FREEZE_SECONDS) => z.int().parse(await execute('guest-fsfreeze-thaw', undefined, seconds));
  return {
    execute,
    thaw,
    async freeze(seconds = FREEZE_SECONDS) {
      try {
        return z.int().parse(await execute('guest-fsfreeze-freeze', undefined, seconds));
      } catch (error) {
        // It may still come about after the time is up.
        await thaw(seconds).catch(() => undefined);
        throw error;
      }
    },
    async run([path, ...words], { input, timeout = COMMAND_SECONDS } = {}) {
      const end = host.clock.monotonic() + timeout * 1000;
      const data = input === undefined ? {} : { 'input-data': Buffer.from(input).toString('base64') };
      const { pid } = startedSchema.parse(await execute('guest-exec', { path, arg: words, 'capture-output': true, ...data }));
      for (let pause = POLL_SECONDS; ; pause = Math.min(pause * 1.5, SLOWEST_POLL_SECONDS)) {
        const { exited, ...result } = await commandStatus({ execute }, pid);
        if (exited) return result;
        if (host.clock.monotonic() > end) {
          throw new IngotError('timeout', 'agent-command-timeout', `${path} did not end in the guest within ${timeout} s`, {
            detail: `It runs on there as process ${pid}.`,
          });
        }
        await host.clock.sleep(pause, signal);
      }
    },
  };
}

/** How a command is that the agent runs, or ran: what it wrote is there when it has ended, and only once. */
export async function commandStatus(agent: Pick<Agent, 'execute'>, pid: number, seconds?: number): Promise<AgentCommandResult & { readonly exited: boolean }> {
  const status = exitStatusSchema.parse(await agent.execute('guest-exec-status', { pid }, seconds));
  return { exited: status.exited, exitCode: status.exitcode, stdout: textOf(status['out-data']), stderr: textOf(status['err-data']) };
}

function textOf(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8');
}

/** Connects; QEMU has one client at a time, and another one in the queue: behind them nobody gets in. */
async function openSocket(host: Host, path: HostPath, seconds: number, signal: AbortSignal | undefined): Promise<Socket> {
  const end = host.clock.monotonic() + seconds * 1000;
  for (;;) {
    const socket = connect(path);
    const opened = Promise.withResolvers<void>();
    socket.once('connect', opened.resolve);
    socket.once('error', opened.reject);
    try {
      await opened.promise;
      return socket;
    } catch (error) {
      socket.destroy();
      if (systemErrorCode(error) !== 'EAGAIN') throw gone(error instanceof Error ? error.message : String(error), error);
      if (host.clock.monotonic() > end) throw silent(seconds, 'its attention: others talk to it', 'Try again when they are done.');
      await host.clock.sleep(POLL_SECONDS, signal);
    }
  }
}

function gone(why: string, cause?: unknown): IngotError {
  return new IngotError('host', 'agent-gone', `The connection to the guest agent broke: ${why}`, cause === undefined ? {} : { cause });
}

function silent(seconds: number, what: string, hint: string): IngotError {
  return new IngotError('timeout', 'agent-silent', `The guest agent did not give ${what} within ${Math.round(seconds * 10) / 10} s`, { hint });
}

/** Commands and their answers, one after the other. */
class Connection implements Disposable {
  readonly #socket: Socket;
  readonly #random: Host['random'];
  #received = Buffer.alloc(0);
  /** Who waits for the next line. */
  #waiting: { resolve(line: string): void; reject(error: Error): void } | undefined;
  readonly #lines: string[] = [];
  #failure: IngotError | undefined;
  /** An answer that nobody waits for any more may come. */
  #stale = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(socket: Socket, { random }: Pick<Host, 'random'>) {
    this.#socket = socket;
    this.#random = random;
    socket.on('data', (chunk) => this.#receive(Buffer.from(chunk)));
    socket.on('error', (error) => this.#fail(gone(error.message, error)));
    socket.on('close', () => this.#fail(gone('it was closed')));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Makes the agent drop what it has read of a command, and this end what it has read of answers. */
  async synchronise(seconds: number): Promise<void> {
    const id = Buffer.from(this.#random.bytes(4)).readUInt32LE();
    const answered = async (): Promise<void> => {
      for (let line = ''; !isSync(line, id);) line = await this.#line();
    };
    this.#socket.write(Buffer.concat([Buffer.of(SYNC_BYTE), commandLine('guest-sync-delimited', { id })]));
    await this.#within(answered(), seconds, 'an answer');
    this.#stale = false;
  }

  /** One command after the other: an answer says to which command it belongs by its place only. */
  execute(command: string, parameters: Readonly<Record<string, unknown>> | undefined, seconds = ANSWER_SECONDS): Promise<unknown> {
    const result = this.#last.then(() => this.#execute(command, parameters, seconds));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #execute(command: string, parameters: Readonly<Record<string, unknown>> | undefined, seconds: number): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#stale) await this.synchronise(seconds);
    this.#socket.write(commandLine(command, parameters));
    const line = await this.#within(this.#line(), seconds, `the answer to ${command}`);
    const message = messageSchema.safeParse(parseJson(line));
    if (!message.success) throw new IngotError('host', 'agent-garbled', `The guest agent said something that is no answer: ${line.slice(0, 200)}`);
    if ('error' in message.data) throw new IngotError('host', 'agent-refused', `The guest agent refused ${command}: ${message.data.error.desc}`);
    return message.data.return;
  }

  async #within<T>(promise: Promise<T>, seconds: number, what: string): Promise<T> {
    return withinSeconds(promise, seconds, () => {
      this.#stale = true;
      this.#waiting = undefined;
      return silent(seconds, what, 'Is qemu-guest-agent installed in the guest, and has it started?');
    });
  }

  /** The next line that comes. */
  #line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting = { resolve, reject };
    return promise;
  }

  #receive(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#received, chunk]);
    // No text has this byte: all before it is of another conversation.
    const rest = bytes.subarray(bytes.lastIndexOf(SYNC_BYTE) + 1);
    if (rest.length < bytes.length) this.#lines.length = 0;
    const lines = rest.toString('utf8').split('\n');
    this.#received = Buffer.from(lines.pop() ?? '');
    this.#lines.push(...lines.filter((line) => line.trim() !== ''));
    if (this.#waiting === undefined) return;
    const line = this.#lines.shift();
    if (line === undefined) return;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(line);
  }

  #fail(error: IngotError): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}

function commandLine(command: string, parameters: Readonly<Record<string, unknown>> | undefined): Buffer {
  return Buffer.from(`${JSON.stringify({ execute: command, ...(parameters === undefined ? {} : { arguments: parameters }) })}\n`);
}

function isSync(line: string, id: number): boolean {
  return z.object({ return: z.literal(id) }).safeParse(parseJson(line)).success;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

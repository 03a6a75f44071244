import { connect, type Socket } from 'node:net';
import * as z from 'zod';
import { IngotError } from '../../base/errors.ts';
import { withinSeconds } from '../../base/time-limit.ts';

/*
 * The QEMU Machine Protocol (QEMU: docs/interop/qmp-spec.rst): JSON objects, one per line. The server greets, the client negotiates
 * capabilities, then each command is answered in order of its id, with events in between.
 */

const messageSchema = z.union([
  z.object({ QMP: z.object({ version: z.object({ qemu: z.object({ major: z.int(), minor: z.int(), micro: z.int() }) }) }) }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.int().optional() }),
  z.object({ return: z.unknown(), id: z.int().optional() }),
]);

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface QemuVersion {
  readonly major: number;
  readonly minor: number;
}

const DEFAULT_SECONDS = 5;

/** A connection to the monitor of one QEMU. QEMU serves one client at a time: close it soon. */
export class QmpClient implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = Promise.withResolvers<QemuVersion>();
  #version: QemuVersion = { major: 0, minor: 0 };
  #buffered = '';
  #nextId = 1;
  #failure: IngotError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#greeting.promise.catch(() => undefined);
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => this.#receive(String(chunk)));
    socket.on('error', (error) =>
      this.#fail(new IngotError('host', 'qemu-gone', `The connection to QEMU's monitor broke: ${error.message}`, { cause: error })),
    );
    socket.on('close', () => this.#fail(new IngotError('host', 'qemu-gone', "QEMU closed its monitor's connection")));
  }

  /** Connects and negotiates. Throws `qemu-gone` where nobody listens, `qemu-silent` without an answer in `seconds`. */
  static async connect(path: string, seconds: number = DEFAULT_SECONDS): Promise<QmpClient> {
    const client = new QmpClient(connect(path));
    try {
      client.#version = await client.#within(client.#greeting.promise, seconds, 'its greeting');
      await client.execute('qmp_capabilities', undefined, seconds);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** What QEMU said when it greeted. */
  get version(): QemuVersion {
    return this.#version;
  }

  /** Runs a command and returns its answer. Throws `qemu-refused` with QEMU's words, `qemu-silent`, `qemu-gone`. */
  async execute(command: string, parameters?: Readonly<Record<string, unknown>>, seconds: number = DEFAULT_SECONDS): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#socket.write(`${JSON.stringify({ execute: command, ...(parameters === undefined ? {} : { arguments: parameters }), id })}\n`);
    try {
      return await this.#within(answer.promise, seconds, `the answer to ${command}`);
    } finally {
      this.#waiting.delete(id);
    }
  }

  /** Calls back for each event from now on; returns what stops it. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(chunk: string): void {
    const lines = (this.#buffered + chunk).split('\n');
    this.#buffered = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') this.#message(line);
  }

  #message(line: string): void {
    const parsed = messageSchema.safeParse(parseJson(line));
    if (!parsed.success) {
      this.#fail(new IngotError('host', 'qemu-garbled', `QEMU's monitor said something that is no QMP: ${line.slice(0, 200)}`));
      this.close();
      return;
    }
    const message = parsed.data;
    if ('QMP' in message) return this.#greeting.resolve(message.QMP.version.qemu);
    if ('event' in message) {
      for (const listener of this.#listeners) listener({ name: message.event, data: message.data ?? {} });
      return;
    }
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if ('error' in message) waiting?.reject(new IngotError('host', 'qemu-refused', `QEMU refused: ${message.error.desc}`));
    else waiting?.resolve(message.return);
  }

  #fail(error: IngotError): void {
    this.#failure ??= error;
    this.#greeting.reject(this.#failure);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
  }

  #within<T>(promise: Promise<T>, seconds: number, what: string): Promise<T> {
    return withinSeconds(promise, seconds, () => new IngotError('timeout', 'qemu-silent', `QEMU's monitor did not give ${what} within ${seconds} s`));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

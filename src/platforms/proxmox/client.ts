import { IngotError } from '../../base/errors.ts';
import type { Events, Span } from '../../base/events.ts';
import { randomId } from '../../base/host.ts';
import { retry } from '../../base/retry.ts';
import { upidOrNothing } from './answers.ts';
import { failureOf } from './failures.ts';
import { KeyedQueue } from '../keyed-queue.ts';
import { uploadBody, type UploadFile } from '../multipart.ts';
import { encodeRequest, type PveRequest } from './requests.ts';
import { followTask, settleTasks, type ClientHost, type Matching } from './tasks.ts';
import type { Answer, Message, Transport } from '../transport.ts';

export interface ClientOptions {
  readonly tokenId: string;
  readonly secret: string;
  readonly transport: Transport;
  readonly host: ClientHost;
  readonly events: Events;
  readonly signal: AbortSignal;
}

export interface Work {
  /** What is done, for messages: `creating VM 100`. */
  readonly what: string;
  /** The node whose tasks are looked at where the answer was lost. */
  readonly node: string;
  /** Which tasks the request may have started. */
  readonly tasks: Matching;
  /** Looks up whether the work is done, where the answer was lost. */
  readonly done: () => Promise<boolean>;
  readonly span?: Span | undefined;
}

/** How often a request that does no harm twice is tried, and how often work is that met a lock or a lost answer. */
const [READ_ATTEMPTS, WORK_ATTEMPTS] = [4, 4];

/** Talks to one Proxmox VE: every request with the token, tasks followed to their end. */
export class ProxmoxClient {
  readonly #options: ClientOptions;
  /** Work on a node's storage, one after the other: the storage's lock is waited for by whoever comes second, and then given up. */
  readonly queue: KeyedQueue;
  /** Seconds that the server's clock is ahead of ours; known after the first answer. */
  skew: number | undefined;

  constructor(options: ClientOptions, queue = new KeyedQueue()) {
    this.#options = options;
    this.queue = queue;
  }

  get host(): ClientHost {
    return this.#options.host;
  }
  get events(): Events {
    return this.#options.events;
  }
  get signal(): AbortSignal {
    return this.#options.signal;
  }
  get tokenId(): string {
    return this.#options.tokenId;
  }

  /** The same connection, for undoing after Ctrl-C: the signal that ended the work does not end this. */
  undoing(): ProxmoxClient {
    return new ProxmoxClient({ ...this.#options, signal: new AbortController().signal }, this.queue);
  }

  close(): Promise<void> {
    return this.#options.transport.close();
  }

  /** The answer to a request. One that does no harm twice is sent again where the connection or a node fails. Throws what `failureOf` and the transport throw. */
  async call<T>(request: PveRequest<T>): Promise<T> {
    const { clock } = this.host;
    const once = async (): Promise<T> => this.#read(request, await this.#send(request));
    if (!request.repeatable) return await once();
    return await retry(once, { clock, signal: this.signal, attempts: READ_ATTEMPTS, transient: isTransient });
  }

  /**
   * Sends a request that starts a task, and follows that to its end. Where the answer is lost, the truth is looked up: tasks that it may have started are
   * waited for, and it is sent again only where the work is not done. A lock that somebody else holds is waited for.
   */
  async work(request: PveRequest<string | null | undefined>, work: Work): Promise<void> {
    await this.#trying(work, async () => await this.call(request));
  }

  /** Uploads a file, as {@link ProxmoxClient.work}: a cut upload starts again, one that has arrived does not. */
  async upload(
    file: UploadFile,
    to: { readonly node: string; readonly storage: string; readonly content: 'import' | 'iso' | 'vztmpl'; readonly filename: string },
    work: Pick<Work, 'done' | 'span'>,
  ): Promise<void> {
    const { span } = work;
    const request = { method: 'POST', path: '/nodes/{node}/storage/{storage}/upload', parameters: { node: to.node, storage: to.storage } } as const;
    const tasks: Matching = (task) => task.type === 'imgcopy';
    await this.#trying({ ...work, what: `the upload of ${to.filename}`, node: to.node, tasks }, async () => {
      const boundary = `ingot-${randomId(this.host.random, 16)}`;
      const body = uploadBody(file, {
        // The server wants `content` before all else.
        fields: [
          ['content', to.content],
          ['checksum-algorithm', 'sha256'],
          ['checksum', file.sha256],
        ],
        field: 'filename',
        filename: to.filename,
        boundary,
        onProgress: (sent) => span?.progress(sent, file.size, 'bytes'),
      });
      const { path } = encodeRequest({ ...request, parameters: { ...request.parameters } });
      const answer = await this.#transmit({ method: 'POST', path, headers: this.#headers(), body, signal: this.signal });
      return this.#read({ ...request, repeatable: false, answer: upidOrNothing }, answer);
    });
  }

  async #trying(work: Work, start: () => Promise<string | null | undefined>): Promise<void> {
    const { clock } = this.host;
    const once = async (): Promise<void> => {
      let upid: string | null | undefined;
      try {
        upid = await start();
      } catch (error) {
        if (!isLost(error)) throw error;
        this.events.message('warn', `${work.what}: the answer was lost; looking up what has become of it`);
        await settleTasks(this, work.node, work.tasks);
        if (await work.done()) return;
        throw error;
      }
      if (typeof upid === 'string') await followTask(this, upid, { ...work, onWarning: (text) => this.events.message('warn', text) });
    };
    await retry(once, {
      clock,
      signal: this.signal,
      attempts: WORK_ATTEMPTS,
      transient: (error) => isLost(error) || (error instanceof IngotError && error.code === 'locked'),
      onRetry: (error) => this.events.message('info', `${work.what} is tried again: ${error instanceof Error ? error.message : String(error)}`),
    });
  }

  #headers(): Record<string, string> {
    return { authorization: `PVEAPIToken=${this.#options.tokenId}=${this.#options.secret}`, accept: 'application/json', 'user-agent': 'ingot' };
  }

  async #send(request: PveRequest): Promise<Answer> {
    const { path, form } = encodeRequest(request);
    const headers = { ...this.#headers(), ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) };
    return await this.#transmit({ method: request.method, path, headers, ...(form === undefined ? {} : { body: form }), signal: this.signal });
  }

  async #transmit(message: Message): Promise<Answer> {
    const answer = await this.#options.transport.send(message);
    const there = Date.parse(answer.date ?? '');
    if (!Number.isNaN(there)) this.skew = Math.round((there - this.host.clock.now().getTime()) / 1000);
    return answer;
  }

  #read<T>(request: PveRequest<T>, answer: Answer): T {
    if (answer.status !== 200) throw failureOf(request, answer, this.tokenId);
    const parsed = request.answer.safeParse(dataOf(answer.text));
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues[0];
    throw new IngotError('upstream', 'answer-unknown', `The answer to ${request.method} ${request.path} is not what Proxmox VE answers`, {
      detail: where === undefined ? '' : `${where.path.join('.')}: ${where.message}`,
      hint: 'Check that the address is that of a Proxmox VE 8.4 or later.',
    });
  }
}

function dataOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'data' in value ? value.data : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody knows whether the server did it. */
function isLost(error: unknown): boolean {
  return error instanceof IngotError && (error.code === 'connection-lost' || error.code === 'node-unreachable');
}

/** Asking again may help. */
function isTransient(error: unknown): boolean {
  return isLost(error) || (error instanceof IngotError && (error.code === 'server-unreachable' || error.code === 'locked'));
}

import { IngotError } from '../../base/errors.ts';
import type { Events } from '../../base/events.ts';
import { inPool } from '../../base/pool.ts';
import { retry } from '../../base/retry.ts';
import type { Answer, Transport } from '../transport.ts';
import { failureOf } from './failures.ts';
import { followJob, type ClientHost } from './jobs.ts';
import { encodeRequest, type CsJob, type CsList, type CsRequest } from './requests.ts';
import { signedQuery, type Keys } from './signing.ts';

export interface ClientOptions {
  /** Path of the API. */
  readonly path: string;
  readonly keys: Keys;
  readonly transport: Transport;
  readonly host: ClientHost;
  readonly events: Events;
  readonly signal: AbortSignal;
}

export interface Work<T> {
  /** What is done, for messages: `deploying trial-web`. */
  readonly what: string;
  /** Looks up what has become of it, and waits where it is on its way; nothing where it was not done. It is what counts, whatever a job says. */
  readonly look: () => Promise<T | undefined>;
  /** Seconds that a job may take; default an hour. */
  readonly limit?: number | undefined;
}

/** How often a request that does no harm twice is tried, how often work whose answer was lost, and how often one that the server holds back. */
const [READ_ATTEMPTS, WORK_ATTEMPTS, HELD_ATTEMPTS] = [4, 4, 7];
/** The most that a server gives in one answer, unless its default.page.size says otherwise. */
export const PAGE = 500;
/** Pages that are asked for at the same time. */
const PAGES_AT_ONCE = 4;
/** Seconds that the clocks may differ before a signature is made for the server's. */
const SKEW_CORRECTED = 30;
/** Seconds for a request that was lost to show an effect. */
const SETTLE = 3;

/** What several clients of one connection know together. */
interface Shared {
  /** Seconds that the server's clock is ahead of ours; known after the first answer. */
  skew: number | undefined;
  skewTold: boolean;
}

/** Talks to one CloudStack: every request signed, jobs followed to their end. */
export class CloudStackClient {
  readonly #options: ClientOptions;
  readonly #shared: Shared;

  constructor(options: ClientOptions, shared: Shared = { skew: undefined, skewTold: false }) {
    this.#options = options;
    this.#shared = shared;
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
  get skew(): number | undefined {
    return this.#shared.skew;
  }

  /** The same connection, for undoing after Ctrl-C: the signal that ended the work does not end this. */
  undoing(): CloudStackClient {
    return new CloudStackClient({ ...this.#options, signal: new AbortController().signal }, this.#shared);
  }

  close(): Promise<void> {
    return this.#options.transport.close();
  }

  /**
   * The answer to a request. One that does no harm twice is sent again where the connection fails; any is, where the server held it back. Throws what
   * `failureOf` and the transport throw.
   */
  async call<T>(request: CsRequest<T>): Promise<T> {
    const once = (): Promise<T> => this.#patiently(() => this.#signed(request));
    if (!request.repeatable) return await once();
    return await retry(once, { clock: this.host.clock, signal: this.signal, attempts: READ_ATTEMPTS, transient: isTransient });
  }

  /** Every entry of a list, page by page: the first says how many there are. */
  async all<T>(request: CsList<T>): Promise<T[]> {
    if (!request.paged) return (await this.call(request)).entries;
    const page = (number: number): Promise<{ readonly count: number; readonly entries: T[] }> =>
      this.call({ ...request, parameters: { ...request.parameters, page: number, pagesize: PAGE } });
    const first = await page(1);
    const numbers = Array.from({ length: Math.max(0, Math.ceil(first.count / PAGE) - 1) }, (_, index) => index + 2);
    const others: T[][] = [];
    await inPool(PAGES_AT_ONCE, numbers, async (number, _signal, index) => {
      others[index] = (await page(number)).entries;
    });
    return [...first.entries, ...others.flat()];
  }

  /** Changes something at once. Where the answer is lost, the truth is looked up, and it is sent again only where it was not done. */
  async change<T>(request: CsRequest<unknown>, work: Work<T>): Promise<T> {
    return await this.#trying(work, async () => {
      await this.call(request);
    });
  }

  /** Sends a command that starts a job, and follows that to its end, as {@link change}. `result` is what the job says, where it was heard. */
  async work<T>(request: CsJob, work: Work<T>): Promise<{ readonly value: T; readonly result: unknown }> {
    let result: unknown;
    const value = await this.#trying(work, async () => {
      const { jobid } = await this.call(request);
      result = await followJob(this, jobid, { what: work.what, command: request.command, limit: work.limit });
    });
    return { value, result };
  }

  async #trying<T>(work: Work<T>, start: () => Promise<void>): Promise<T> {
    const { clock } = this.host;
    const once = async (): Promise<T> => {
      let lost: unknown;
      try {
        await start();
      } catch (error) {
        if (!isLost(error)) throw error;
        lost = error;
        this.events.message('warn', `${work.what}: ${error instanceof Error ? error.message : String(error)}; looking up what has become of it`);
        await clock.sleep(SETTLE, this.signal);
      }
      const found = await work.look();
      if (found !== undefined) return found;
      throw lost ?? new IngotError('upstream', 'work-without-effect', `${work.what} has ended well, and nothing of it is there`);
    };
    return await retry(once, {
      clock,
      signal: this.signal,
      attempts: WORK_ATTEMPTS,
      transient: isLost,
      onRetry: (error) => this.events.message('info', `${work.what} is tried again: ${error instanceof Error ? error.message : String(error)}`),
    });
  }

  /** A server that limits requests has done nothing of one that it held back. */
  async #patiently<T>(once: () => Promise<T>): Promise<T> {
    const transient = (error: unknown): boolean => error instanceof IngotError && error.code === 'rate-limited';
    return await retry(once, { clock: this.host.clock, signal: this.signal, attempts: HELD_ATTEMPTS, transient });
  }

  async #signed<T>(request: CsRequest<T>): Promise<T> {
    const before = this.#correction();
    try {
      return this.#read(request, await this.#send(request));
    } catch (error) {
      // The first answer tells the server's clock: what was refused for ours is signed for that.
      const refused = error instanceof IngotError && (error.code === 'clock-skew' || error.code === 'key-refused');
      if (!refused || Math.abs(this.#correction() - before) < SKEW_CORRECTED) throw error;
      if (!this.#shared.skewTold) {
        this.#shared.skewTold = true;
        this.events.message('warn', `The server's clock differs by ${this.skew ?? 0} s from that of this host: requests are signed for its clock`);
      }
      return this.#read(request, await this.#send(request));
    }
  }

  #correction(): number {
    const { skew } = this.#shared;
    return skew === undefined || Math.abs(skew) < SKEW_CORRECTED ? 0 : skew;
  }

  async #send(request: CsRequest): Promise<Answer> {
    const { path, keys, transport, host, signal } = this.#options;
    const now = new Date(host.clock.now().getTime() + this.#correction() * 1000);
    const query = signedQuery(encodeRequest(request), keys, now);
    const headers = { accept: 'application/json', 'user-agent': 'ingot' };
    const answer = await transport.send(
      request.change
        ? { method: 'POST', path, headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' }, body: query, signal }
        : { method: 'GET', path: `${path}?${query}`, headers, signal },
    );
    const there = Date.parse(answer.date ?? '');
    if (!Number.isNaN(there)) this.#shared.skew = Math.round((there - host.clock.now().getTime()) / 1000);
    return answer;
  }

  #read<T>(request: CsRequest<T>, answer: Answer): T {
    if (answer.status !== 200) throw failureOf(request, answer, this.skew);
    const parsed = request.answer.safeParse(dataOf(answer.text));
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues[0];
    throw new IngotError('upstream', 'answer-unknown', `The answer to ${request.command} is not what CloudStack answers`, {
      detail: where === undefined ? '' : `${where.path.join('.')}: ${where.message}`,
      hint: 'Check that the address is that of the API of CloudStack 4.18 or later: it ends in /client/api.',
    });
  }
}

/** What stands below `<command>response`; one command calls it otherwise, so the only key counts. */
function dataOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.values(value)[0] : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody knows whether the server did it, or it says itself that it was interrupted. */
function isLost(error: unknown): boolean {
  return error instanceof IngotError && ['connection-lost', 'server-busy', 'job-cancelled', 'job-timeout'].includes(error.code);
}

/** Asking again may help. */
function isTransient(error: unknown): boolean {
  return error instanceof IngotError && ['connection-lost', 'server-busy', 'server-unreachable'].includes(error.code);
}

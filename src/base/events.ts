import type { Event, SpanStatus } from './event-schema.ts';
import { randomId, type Clock, type Random } from './host.ts';

export type { Event, SpanStatus } from './event-schema.ts';

/** Version of the event format; readers refuse newer ones. */
export const EVENT_VERSION = 1;

type Payload<T> = T extends Event ? Omit<T, 'v' | 'seq' | 'time' | 'operation' | 'scope'> : never;

/** How far the images of one command are. */
export type FleetState = Omit<Payload<Event & { type: 'fleet' }>, 'type'>;

/** Milliseconds between two words of progress of one span: nobody reads faster, and a log of every piece of a download is larger than all else in it. */
const PROGRESS_PACE = 100;

/** A stretch of work that is shown while it lasts. */
export interface Span {
  readonly id: string;
  /** Tells how far it is; what comes too soon after the last is not passed on, unless it is the end or another note. */
  progress(done: number, total: number | undefined, unit: 'bytes' | 'items', note?: string): void;
  output(text: string, stream?: 'stdout' | 'stderr'): void;
  /** A part of this one. */
  child(kind: 'stage' | 'check', label: string): Span;
  /** Ends it; returns the seconds it took. */
  end(status: SpanStatus, note?: string): number;
}

/** Where a running operation reports to. */
export class Events {
  #count = { seq: 0 };
  #scope: string | undefined;
  readonly #operation: string;
  readonly #sink: (event: Event) => void;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(operation: string, sink: (event: Event) => void, host: { readonly clock: Clock; readonly random: Random }) {
    this.#operation = operation;
    this.#sink = sink;
    this.#clock = host.clock;
    this.#random = host.random;
  }

  /**
   * Events of the same operation that say what they are about, and also go to `also`: of one image among several that are built at the
   * same time.
   */
  branch(scope: string | undefined, also: (event: Event) => void = () => undefined): Events {
    const sink = (event: Event): void => {
      this.#sink(event);
      also(event);
    };
    const branch = new Events(this.#operation, sink, { clock: this.#clock, random: this.#random });
    branch.#count = this.#count;
    branch.#scope = scope ?? this.#scope;
    return branch;
  }

  /** The last event of a log: how it ended, in words. */
  result(status: 'built' | 'cached' | 'failed' | 'skipped', seconds: number, text: string): void {
    this.#emit({ type: 'result', status, seconds, text });
  }

  fleet(state: FleetState): void {
    this.#emit({ type: 'fleet', ...state });
  }

  message(level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    this.#emit({ type: 'message', level, text });
  }

  span(kind: 'layer' | 'stage' | 'check', label: string, parent?: string): Span {
    const id = randomId(this.#random, 4);
    const start = this.#clock.monotonic();
    this.#emit({ type: 'span-start', span: id, kind, label, ...(parent === undefined ? {} : { parent }) });
    let told: { readonly at: number; readonly note: string | undefined } | undefined;
    return {
      id,
      progress: (done, total, unit, note) => {
        const at = this.#clock.monotonic();
        if (told !== undefined && at - told.at < PROGRESS_PACE && note === told.note && done !== total) return;
        told = { at, note };
        this.#emit({ type: 'span-progress', span: id, done, unit, ...(total === undefined ? {} : { total }), ...(note === undefined ? {} : { note }) });
      },
      output: (text, stream = 'stdout') => this.#emit({ type: 'output', span: id, stream, text }),
      child: (childKind, childLabel) => this.span(childKind, childLabel, id),
      end: (status, note) => {
        const seconds = (this.#clock.monotonic() - start) / 1000;
        this.#emit({ type: 'span-end', span: id, status, seconds, ...(note === undefined ? {} : { note }) });
        return seconds;
      },
    };
  }

  /** Runs the work inside a stage span that ends `done`, or `failed` where it throws. */
  async stage<T>(label: string, work: (span: Span) => Promise<T>, parent?: Span): Promise<T> {
    const span = parent === undefined ? this.span('stage', label) : parent.child('stage', label);
    try {
      const result = await work(span);
      span.end('done');
      return result;
    } catch (error) {
      span.end('failed');
      throw error;
    }
  }

  #emit(payload: Payload<Event>): void {
    const scope = this.#scope === undefined ? {} : { scope: this.#scope };
    this.#sink({ v: EVENT_VERSION, seq: this.#count.seq++, time: this.#clock.now().toISOString(), operation: this.#operation, ...scope, ...payload });
  }
}

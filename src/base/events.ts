import type { Event, SpanStatus } from './event-schema.ts';
import { randomId, type Clock, type Random } from './host.ts';

export type { Event, SpanStatus } from './event-schema.ts';

/** Version of the event format; readers refuse newer ones. */
export const EVENT_VERSION = 1;

type Payload<T> = T extends Event ? Omit<T, 'v' | 'seq' | 'time' | 'operation'> : never;

/** A stretch of work that is shown while it lasts. */
export interface Span {
  readonly id: string;
  progress(done: number, total: number | undefined, unit: 'bytes' | 'items', note?: string): void;
  output(text: string, stream?: 'stdout' | 'stderr'): void;
  /** A part of this one. */
  child(kind: 'stage' | 'check', label: string): Span;
  /** Ends it; returns the seconds it took. */
  end(status: SpanStatus, note?: string): number;
}

/** Where a running operation reports to. */
export class Events {
  #seq = 0;
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

  message(level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    this.#emit({ type: 'message', level, text });
  }

  span(kind: 'layer' | 'stage' | 'check', label: string, parent?: string): Span {
    const id = randomId(this.#random, 4);
    const start = this.#clock.monotonic();
    this.#emit({ type: 'span-start', span: id, kind, label, ...(parent === undefined ? {} : { parent }) });
    return {
      id,
      progress: (done, total, unit, note) =>
        this.#emit({ type: 'span-progress', span: id, done, unit, ...(total === undefined ? {} : { total }), ...(note === undefined ? {} : { note }) }),
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
    this.#sink({ v: EVENT_VERSION, seq: this.#seq++, time: this.#clock.now().toISOString(), operation: this.#operation, ...payload });
  }
}

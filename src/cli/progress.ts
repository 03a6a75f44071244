import type { Event, FleetState } from '../base/events.ts';
import { endedLine, fitting, fleetLine, plainEnd, plainStart, ProgressModel, runningLine } from './progress-model.ts';
import { cut, paint, plain, type Output } from './terminal.ts';

/** Shows what a running operation tells. */
export interface Progress {
  event(event: Event): void;
  /** Takes the moving lines away, for a question or a program that gets the terminal. */
  pause(): void;
  resume(): void;
  /** Ends it; what stays on the screen is what one wants to scroll back to. */
  close(): void;
}

export interface ProgressOptions {
  readonly output: Output;
  /** Milliseconds that never jump. */
  readonly now: () => number;
  /** Shows the tools' own output. */
  readonly verbose: boolean;
  readonly quiet: boolean;
  /** Leaves a line for each finished piece of work; off for queries, which show only what lasts. */
  readonly keep: boolean;
}

/** The progress display that fits the output: moving lines on a terminal, else lines that only follow each other. */
export function makeProgress(options: ProgressOptions): Progress {
  return options.output.cursor && !options.quiet ? new LiveProgress(options) : new PlainProgress(options);
}

const REDRAW_MILLISECONDS = 100;

function messageLine(event: Event & { type: 'message' }, options: ProgressOptions): string | undefined {
  const { color } = options.output;
  const text = plain(event.scope === undefined ? event.text : `${event.scope}: ${event.text}`);
  if (event.level === 'error') return `${paint(color, 'red', 'error:')} ${text}`;
  if (event.level === 'warn') return `${paint(color, 'yellow', 'warning:')} ${text}`;
  if (event.level === 'info' && !options.quiet) return text;
  if (event.level === 'debug' && options.verbose) return paint(color, 'dim', text);
  return undefined;
}

function outputLines(event: Event & { type: 'output' }, options: ProgressOptions): string[] {
  if (!options.verbose) return [];
  return plain(event.text)
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => paint(options.output.color, 'dim', `${event.scope === undefined ? '  ' : `[${event.scope}] `}│ ${line}`));
}

/** Start and end of each span as lines; no spinner, no escape. */
class PlainProgress implements Progress {
  readonly #options: ProgressOptions;
  readonly #model = new ProgressModel();

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  event(event: Event): void {
    const ended = this.#model.apply(event, this.#options.now());
    for (const line of this.#lines(event, ended)) this.#options.output.write(`${line}\n`);
  }

  #lines(event: Event, ended: ReturnType<ProgressModel['apply']>): string[] {
    if (event.type === 'message') {
      const line = messageLine(event, this.#options);
      return line === undefined ? [] : [line];
    }
    if (event.type === 'output') return outputLines(event, this.#options);
    if (this.#options.quiet || !this.#options.keep) return [];
    if (ended !== undefined) return [plainEnd(ended)];
    if (event.type === 'fleet') return this.#fleetLines(event);
    if (event.type !== 'span-start') return [];
    const depth = this.#model.running().find((span) => span.id === event.span)?.depth ?? 0;
    return [plainStart({ label: event.label, scope: event.scope, depth })];
  }

  /** How far several images are, whenever one of them has ended. */
  #ended = 0;
  #fleetLines(fleet: FleetState): string[] {
    const { built, cached, failed, skipped, running, waiting } = fleet;
    const ended = built + cached + failed + skipped;
    if (ended === this.#ended || ended + running + waiting === 1) return [];
    this.#ended = ended;
    return [fleetLine(fleet, 0)];
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
}

/**
 * Running spans as moving lines at the bottom, finished ones as lines that stay above. Parts of a span are shown
 * while they run and vanish into their parent's line, unless they failed or did not run.
 */
class LiveProgress implements Progress {
  readonly #options: ProgressOptions;
  readonly #model = new ProgressModel();
  #drawn = 0;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #fleet: { readonly state: FleetState; readonly since: number } | undefined;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  event(event: Event): void {
    const ended = this.#model.apply(event, this.#options.now());
    const { output, keep } = this.#options;
    const layout = { width: output.width() - 1, color: output.color };
    if (ended !== undefined && keep && (ended.depth === 0 || ended.status === 'failed' || ended.status === 'not-run')) {
      this.#waiting.push(endedLine(ended, layout));
    }
    if (event.type === 'message') {
      const line = messageLine(event, this.#options);
      if (line !== undefined) this.#waiting.push(line);
    }
    if (event.type === 'output') this.#waiting.push(...outputLines(event, this.#options));
    if (event.type === 'fleet') this.#fleet = { state: event, since: this.#options.now() };
    this.#schedule();
  }

  pause(): void {
    this.#paused = true;
    this.#draw([]);
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  close(): void {
    this.#draw([]);
    this.#paused = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#paused || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#paused) return;
      const moving = this.#movingLines();
      this.#draw(moving);
      if (moving.length > 0) this.#schedule();
    }, REDRAW_MILLISECONDS);
    // The display never keeps the process alive.
    this.#timer.unref();
  }

  #movingLines(): string[] {
    const { output } = this.#options;
    const layout = { width: output.width() - 1, color: output.color };
    const now = this.#options.now();
    const status = this.#fleet === undefined ? '' : fleetLine(this.#fleet.state, (now - this.#fleet.since) / 1000);
    // More lines than the screen has would scroll, and could not be redrawn.
    const { shown, hidden } = fitting(this.#model.running(), output.height() - 2 - (status === '' ? 0 : 1));
    const lines = shown.map((span) => runningLine(span, now, layout));
    if (hidden > 0) lines.push(cut(`… and ${hidden} more`, layout.width));
    // What is left is told only while something moves.
    return status === '' || lines.length === 0 ? lines : [...lines, paint(output.color, 'bold', cut(status, layout.width))];
  }

  /** One write: up to the first moving line, clear to the end of the screen, what stays, what moves. */
  #draw(moving: readonly string[]): void {
    const clear = this.#drawn === 0 ? '' : `\u001B[${this.#drawn}A\r\u001B[J`;
    const text = [...this.#waiting, ...moving].map((line) => `${line}\n`).join('');
    if (clear !== '' || text !== '') this.#options.output.write(`${clear}${text}`);
    this.#waiting = [];
    this.#drawn = moving.length;
  }
}

import { formatDuration, formatLeft, formatSize } from '../base/types.ts';
import type { Event, FleetState, SpanStatus } from '../base/events.ts';
import { cut, paint } from './terminal.ts';

/** A span that runs, as the events tell it. */
export interface RunningSpan {
  readonly id: string;
  readonly label: string;
  /** What it is about, where several things are worked on at the same time. */
  readonly scope: string | undefined;
  readonly parent: string | undefined;
  /** Milliseconds on the clock of the front end. */
  readonly since: number;
  readonly depth: number;
  progress: { done: number; total: number | undefined; unit: 'bytes' | 'items' } | undefined;
  note: string | undefined;
}

/** A span that ended, and how. */
export interface EndedSpan {
  readonly label: string;
  readonly scope: string | undefined;
  readonly depth: number;
  readonly status: SpanStatus;
  readonly seconds: number;
  readonly note: string | undefined;
}

/** Keeps which spans run. Pure: events in, state out. */
export class ProgressModel {
  readonly #running = new Map<string, RunningSpan>();

  /** Takes an event; returns the span that it ended. */
  apply(event: Event, now: number): EndedSpan | undefined {
    if (event.type === 'span-start') {
      const parent = event.parent === undefined ? undefined : this.#running.get(event.parent);
      this.#running.set(event.span, {
        id: event.span,
        label: event.label,
        scope: event.scope,
        parent: parent?.id,
        since: now,
        depth: parent === undefined ? 0 : parent.depth + 1,
        progress: undefined,
        note: undefined,
      });
      return undefined;
    }
    if (event.type !== 'span-progress' && event.type !== 'span-end') return undefined;
    const span = this.#running.get(event.span);
    if (span === undefined) return undefined;
    if (event.type === 'span-progress') {
      span.progress = { done: event.done, total: event.total, unit: event.unit };
      if (event.note !== undefined) span.note = event.note;
      return undefined;
    }
    this.#running.delete(event.span);
    return { label: span.label, scope: span.scope, depth: span.depth, status: event.status, seconds: event.seconds, note: event.note };
  }

  /** The running spans, each followed by its running parts. */
  running(): RunningSpan[] {
    const all = [...this.#running.values()];
    const below = (parent: string | undefined): RunningSpan[] => all.filter((span) => span.parent === parent).flatMap((span) => [span, ...below(span.id)]);
    return below(undefined);
  }
}

export interface Layout {
  readonly width: number;
  readonly color: boolean;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const TIME_COLUMNS = 13;
const BAR_COLUMNS = 16;

/** How far several images are: `7 images: 3 built, 2 running, 2 waiting, about 2 min left`. Of one image only what is left; empty where that is unknown. */
export function fleetLine(fleet: FleetState, elapsed: number): string {
  const { built, cached, failed, skipped, running, waiting, secondsLeft } = fleet;
  const total = built + cached + failed + skipped + running + waiting;
  const parts = Object.entries({ built, cached, failed, skipped, running, waiting }).flatMap(([word, count]) => (count === 0 ? [] : [`${count} ${word}`]));
  const left = secondsLeft === undefined || running + waiting === 0 ? [] : [formatLeft(Math.max(0, secondsLeft - elapsed))];
  return total === 1 ? left.join('') : `${total} images: ${[...parts, ...left].join(', ')}`;
}

/** As many of the spans as fit: parts of parts go first, then parts, then what began last. */
export function fitting(spans: readonly RunningSpan[], room: number): { readonly shown: readonly RunningSpan[]; readonly hidden: number } {
  for (const depth of [Infinity, 1, 0]) {
    const shown = spans.filter((span) => span.depth <= depth);
    if (shown.length <= room) return { shown, hidden: 0 };
  }
  const whole = spans.filter((span) => span.depth === 0);
  return { shown: whole.slice(0, Math.max(0, room - 1)), hidden: whole.length - Math.max(0, room - 1) };
}

/** A label with what it is about in front, where the line does not stand below one that says it. */
function labelOf(span: Pick<RunningSpan, 'label' | 'scope' | 'depth'>): string {
  return span.scope === undefined || span.depth > 0 ? span.label : `${span.scope}: ${span.label}`;
}

/** The line of a span that runs: spinner, label, bar or note, time so far. Never wider than the terminal. */
export function runningLine(span: RunningSpan, now: number, layout: Layout): string {
  const whole = labelOf(span);
  const frame = SPINNER[Math.floor(now / 100) % SPINNER.length] ?? '⠋';
  const indent = '  '.repeat(span.depth);
  const time = formatDuration((now - span.since) / 1000).padStart(TIME_COLUMNS);
  const room = layout.width - indent.length - 2 - TIME_COLUMNS - 1;
  const wanted = Math.min(whole.length, Math.max(4, Math.floor(room / 2)));
  const { text, bar } = progressTexts(span).find((candidate) => candidate.text.length + 2 + wanted <= room) ?? { text: '', bar: undefined };
  const label = cut(whole, Math.max(4, room - (text === '' ? 0 : text.length + 2)));
  const shown = bar === undefined ? text : text.replace(bar, colorBar(bar, layout.color));
  const gap = ' '.repeat(Math.max(1, room - label.length - text.length));
  return `${indent}${paint(layout.color, 'cyan', frame)} ${label}${gap}${shown}${paint(layout.color, 'dim', time)}`;
}

/** What can be said of a span's progress, the longest first. */
function progressTexts(span: RunningSpan): { text: string; bar: string | undefined }[] {
  const { progress } = span;
  const note = span.note ?? '';
  const noted = [64, 40, 24, 12].map((columns) => ({ text: cut(note, columns), bar: undefined }));
  if (progress === undefined || (progress.done === 0 && progress.total === undefined)) return noted;
  const amount = (value: number): string => (progress.unit === 'bytes' ? formatSize(value) : String(value));
  if (progress.total === undefined || progress.total <= 0)
    return [
      { text: join(note, amount(progress.done)), bar: undefined },
      { text: amount(progress.done), bar: undefined },
    ];
  const share = Math.min(1, Math.max(0, progress.done / progress.total));
  const counts = `${amount(progress.done)} of ${amount(progress.total)}`;
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const filled = Math.round(share * BAR_COLUMNS);
  const bar = `${'━'.repeat(filled)}${'─'.repeat(BAR_COLUMNS - filled)}`;
  return [
    { text: join(note, counts, bar, percent), bar },
    { text: join(note === '' ? counts : note, bar, percent), bar },
    { text: join(bar, percent), bar },
    { text: percent, bar: undefined },
  ];
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('  ');
}

function colorBar(bar: string, color: boolean): string {
  const filled = bar.indexOf('─') === -1 ? bar.length : bar.indexOf('─');
  return `${paint(color, 'cyan', bar.slice(0, filled))}${paint(color, 'dim', bar.slice(filled))}`;
}

const MARKS: Readonly<Record<SpanStatus, { mark: string; style: 'green' | 'red' | 'yellow' | 'dim' }>> = {
  done: { mark: '✔', style: 'green' },
  cached: { mark: '✔', style: 'dim' },
  failed: { mark: '✘', style: 'red' },
  'not-run': { mark: '–', style: 'yellow' },
};

/** The line that stays when a span has ended. */
export function endedLine(span: EndedSpan, layout: Layout): string {
  const { mark, style } = MARKS[span.status];
  const indent = '  '.repeat(span.depth);
  const end = span.status === 'cached' ? 'cached' : span.status === 'not-run' ? 'not run' : formatDuration(span.seconds);
  const room = layout.width - indent.length - 2 - TIME_COLUMNS - 1;
  const note = span.note ?? '';
  const label = cut(labelOf(span), Math.max(4, room - (note === '' ? 0 : Math.min(note.length, Math.floor(room / 2)) + 2)));
  const rest = cut(note, Math.max(0, room - label.length - 2));
  const gap = ' '.repeat(Math.max(1, room - label.length - rest.length));
  return `${indent}${paint(layout.color, style, mark)} ${label}${gap}${paint(layout.color, 'dim', rest)}${paint(layout.color, 'dim', end.padStart(TIME_COLUMNS))}`;
}

/** The lines of a start and an end where no line can be redrawn: each says what it is about. */
export function plainStart(span: Pick<RunningSpan, 'label' | 'scope' | 'depth'>): string {
  return `${plainPrefix(span)}start ${span.label}`;
}

export function plainEnd(span: EndedSpan): string {
  const note = span.note === undefined ? '' : `, ${span.note}`;
  const words = span.status === 'cached' ? 'cached' : span.status === 'not-run' ? 'not run' : `${span.status} in ${formatDuration(span.seconds)}`;
  return `${plainPrefix(span)}${span.label}: ${words}${note}`;
}

function plainPrefix(span: Pick<RunningSpan, 'scope' | 'depth'>): string {
  return `${span.scope === undefined ? '' : `[${span.scope}] `}${'  '.repeat(span.depth)}`;
}

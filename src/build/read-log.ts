import { eventSchema, type Event } from '../base/event-schema.ts';
import { IngotError } from '../base/errors.ts';
import { EVENT_VERSION } from '../base/events.ts';
import type { Host } from '../base/host.ts';
import { formatDuration, type HostPath } from '../base/types.ts';

export interface ReadLogOptions {
  /** Only layers whose name holds this. */
  readonly layer?: string | undefined;
  /** Asked when the end of the file was reached before the end of the build; without it, reading ends there. */
  readonly goOn?: () => boolean;
  readonly signal: AbortSignal;
}

const LOOK_SECONDS = 0.3;
/** Seconds without anything new after which somebody is told that the build may be gone. */
const QUIET_SECONDS = 600;
const PIECE = 2 ** 20;

/**
 * Prints a build's log for people, and with `goOn` what is added to it, until the build has ended. Lines that a killed process left
 * half-written are passed over. Throws `log-newer` where a newer ingot wrote it.
 */
export async function followBuildLog(
  host: Pick<Host, 'files' | 'clock'>,
  path: HostPath,
  options: ReadLogOptions,
  write: (text: string) => void,
): Promise<void> {
  const text = new LogText(options.layer);
  let position = 0;
  let rest: Buffer = Buffer.alloc(0);
  let quiet = 0;
  while (!text.ended) {
    const piece = await host.files.readPart(path, position, PIECE);
    position += piece.length;
    const bytes = Buffer.concat([rest, piece]);
    const end = bytes.lastIndexOf(0x0a) + 1;
    rest = bytes.subarray(end);
    const lines = bytes.subarray(0, end).toString('utf8').split('\n');
    write(
      lines
        .flatMap((line) => readEvent(line))
        .map((event) => text.add(event))
        .join(''),
    );
    if (piece.length > 0) quiet = 0;
    else {
      if (options.goOn?.() !== true || quiet >= QUIET_SECONDS) break;
      quiet += LOOK_SECONDS;
      await host.clock.sleep(LOOK_SECONDS, options.signal).catch(() => undefined);
    }
  }
  if (!text.ended) write(options.goOn === undefined ? 'The build goes on, or its process was killed: `ingot queue list` knows.\n' : '');
}

function readEvent(line: string): Event[] {
  if (line === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return [];
  }
  if (typeof value === 'object' && value !== null && 'v' in value && typeof value.v === 'number' && value.v > EVENT_VERSION) {
    throw new IngotError('host', 'log-newer', 'This log was written by a newer ingot', { hint: 'Update ingot.' });
  }
  const parsed = eventSchema.safeParse(value);
  return parsed.success ? [parsed.data] : [];
}

/** How many of the last lines of a failed step are repeated at the end. */
const TAIL_LINES = 20;

interface OpenSpan {
  readonly label: string;
  readonly parent: string | undefined;
  readonly depth: number;
  readonly shown: boolean;
  /** Its last lines of output. */
  readonly tail: string[];
}

/** Events as text, one after the other. */
export class LogText {
  /** The build has ended, and the log said how. */
  ended = false;
  readonly #layer: string | undefined;
  readonly #spans = new Map<string, OpenSpan>();
  #failed: { readonly label: string; readonly tail: readonly string[] } | undefined;

  constructor(layer: string | undefined) {
    this.#layer = layer;
  }

  add(event: Event): string {
    switch (event.type) {
      case 'span-start':
        return this.#start(event);
      case 'span-end':
        return this.#end(event);
      case 'output':
        return this.#output(event);
      case 'message':
        return this.#layer === undefined && event.level !== 'debug' ? `${event.level === 'info' ? '' : `${event.level}: `}${plain(event.text)}\n` : '';
      case 'result':
        return this.#result(event);
      default:
        return '';
    }
  }

  #start(event: Event & { type: 'span-start' }): string {
    const parent = event.parent === undefined ? undefined : this.#spans.get(event.parent);
    const wanted = this.#layer === undefined || (event.kind === 'layer' && event.label.includes(this.#layer)) || parent?.shown === true;
    const depth = parent === undefined ? 0 : parent.depth + 1;
    this.#spans.set(event.span, { label: event.label, parent: event.parent, depth, shown: wanted, tail: [] });
    return wanted ? `${indent(depth)}${time(event)}  ${plain(event.label)}\n` : '';
  }

  #end(event: Event & { type: 'span-end' }): string {
    const span = this.#spans.get(event.span);
    this.#spans.delete(event.span);
    if (span === undefined || !span.shown) return '';
    // The innermost step that fails ends first: those around it fail because of it.
    if (event.status === 'failed' && this.#failed === undefined) this.#failed = { label: span.label, tail: span.tail };
    const words =
      event.status === 'cached'
        ? 'cached'
        : event.status === 'not-run'
          ? 'not run'
          : `${event.status === 'failed' ? 'FAILED' : 'done'} in ${formatDuration(event.seconds)}`;
    return `${indent(span.depth)}${time(event)}  ${plain(span.label)}: ${words}${event.note === undefined ? '' : `, ${plain(event.note)}`}\n`;
  }

  #output(event: Event & { type: 'output' }): string {
    const span = event.span === undefined ? undefined : this.#spans.get(event.span);
    if (span === undefined || !span.shown) return '';
    const lines = plain(event.text).replace(/\n$/, '').split('\n');
    for (let at: OpenSpan | undefined = span; at !== undefined; at = at.parent === undefined ? undefined : this.#spans.get(at.parent)) {
      at.tail.push(...lines);
      at.tail.splice(0, Math.max(0, at.tail.length - TAIL_LINES));
    }
    return lines.map((line) => `${indent(span.depth)}  │ ${line}\n`).join('');
  }

  #result(event: Event & { type: 'result' }): string {
    this.ended = true;
    if (event.status !== 'failed' || this.#layer !== undefined) return `\n${event.status} after ${formatDuration(event.seconds)}: ${plain(event.text)}\n`;
    const { label, tail } = this.#failed ?? { label: '', tail: [] };
    // The error itself often ends with the same lines.
    const said = event.text.split('\n').map((line) => line.trim());
    const repeat = tail.filter((line) => line.trim() !== '' && !said.includes(line.trim()));
    const step = label === '' || repeat.length === 0 ? [] : [`━━ ${plain(label)} ━━`, ...repeat.map((line) => `  ${line}`), ''];
    return `\n${[
      ...step,
      `failed after ${formatDuration(event.seconds)}:`,
      ...plain(event.text)
        .split('\n')
        .map((line) => `  ${line}`),
    ].join('\n')}\n`;
  }
}

function indent(depth: number): string {
  return '  '.repeat(depth);
}

function time(event: Event): string {
  return event.time.slice(11, 19);
}

const CONTROLS = /\u001B\[[0-9;?]*[ -/]*[@-~]|[\u0000-\u0008\u000B-\u001F\u007F]/g;

/** Without escape sequences and control characters of foreign programs. */
function plain(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(CONTROLS, '');
}

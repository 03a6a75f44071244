import { IngotError, toIngotError } from './errors.ts';

/** Shorter values are not hidden: they would be found all over ordinary text, and hiding them would tell what they are. */
export const SHORTEST_MASKED = 4;
/** Parts that stand for a value only together with others (a line, the middle of its base64) are hidden from this length on. */
const SHORTEST_PART = 8;

/** Hides secrets in texts. */
export interface Masker {
  text(text: string): string;
  /** The same for a text that comes in pieces, wherever they are cut: what `push` and `end` return makes up the masked text. */
  stream(): MaskStream;
  /** The error as it may be shown: sentence, hint, detail, problems and causes masked. */
  error(error: unknown): IngotError;
}

export interface MaskStream {
  /** What can be shown by now; only the beginning of what may become a secret is held back. */
  push(piece: string): string;
  end(): string;
}

/**
 * Replaces every occurrence of the values by `***`: as they are, their lines, and their forms in base64 (also inside longer
 * base64), in URLs, in JSON and in shell quotes. Where occurrences overlap or touch, the whole of them is one `***`. The
 * result never holds a value of {@link SHORTEST_MASKED} characters or more; where a value itself has stars, the mark is
 * made of another character for that.
 */
export function masker(values: readonly string[]): Masker {
  const patterns = [...new Set(values.filter((value) => value.length >= SHORTEST_MASKED).flatMap(formsOf))];
  const mark = (['*', '#', '•', '█', '▒'].find((character) => patterns.every((pattern) => !pattern.includes(character))) ?? '*').repeat(3);
  // By first character, the longest first.
  const byStart = Map.groupBy(
    patterns.toSorted((a, b) => b.length - a.length),
    (pattern) => pattern.charCodeAt(0),
  );
  const longest = patterns.reduce((length, pattern) => Math.max(length, pattern.length), 0);
  const stream = (): MaskStream => new Stream(byStart, longest, mark);
  const text = (whole: string): string => {
    if (patterns.length === 0) return whole;
    const one = stream();
    return one.push(whole) + one.end();
  };
  return { text, stream, error: (error) => maskedError(toIngotError(error), text) };
}

class Stream implements MaskStream {
  readonly #byStart: ReadonlyMap<number, readonly string[]>;
  readonly #longest: number;
  readonly #mark: string;
  /** What came and is not decided yet. */
  #waiting = '';
  /** Up to where in it a mark that is written already reaches; -1 where the last thing written was no mark. */
  #covered = -1;

  constructor(byStart: ReadonlyMap<number, readonly string[]>, longest: number, mark: string) {
    this.#byStart = byStart;
    this.#longest = longest;
    this.#mark = mark;
  }

  push(piece: string): string {
    this.#waiting += piece;
    return this.#write(this.#decided());
  }

  end(): string {
    return this.#write(this.#waiting.length);
  }

  /** The first place from where on all that has come is the beginning of a pattern. */
  #decided(): number {
    const text = this.#waiting;
    for (let at = Math.max(0, text.length - this.#longest + 1); at < text.length; at++) {
      const length = text.length - at;
      for (const pattern of this.#byStart.get(text.charCodeAt(at)) ?? []) {
        if (pattern.length > length && pattern.startsWith(text.slice(at))) return at;
      }
    }
    return text.length;
  }

  #write(end: number): string {
    const text = this.#waiting;
    let out = '';
    let plainFrom = Math.max(0, this.#covered);
    let covered = this.#covered;
    for (let at = 0; at < end; at++) {
      const found = this.#byStart.get(text.charCodeAt(at))?.find((pattern) => text.startsWith(pattern, at));
      if (found === undefined) continue;
      if (covered < at) {
        out += text.slice(plainFrom, at) + this.#mark;
      }
      covered = Math.max(covered, at + found.length);
      plainFrom = covered;
    }
    if (plainFrom < end) out += text.slice(plainFrom, end);
    this.#waiting = text.slice(end);
    this.#covered = covered < end ? -1 : covered - end;
    return out;
  }
}

/**
 * Tells whether texts hold the value, in any form that {@link masker} knows. One line of a value of several lines is no proof: others have the
 * same (`apiVersion: v1`).
 */
export function secretFinder(value: string): (text: string) => boolean {
  const forms = value.trim() === '' ? [] : wholeForms(value);
  return (text) => forms.some((form) => text.includes(form));
}

/** How a value, or one of its lines, may be written in logs, addresses and files. */
function formsOf(value: string): string[] {
  const lines = value.split(/\r\n|\r|\n/).map((line) => line.trim());
  const parts = lines.length > 1 ? lines.filter((line) => line.length >= SHORTEST_PART && !PEM_FRAME.test(line)) : [];
  return [...wholeForms(value), ...parts.flatMap((part) => [part, ...encodedForms(part)])];
}

/** First and last line of a key or certificate: the same in all of them. */
const PEM_FRAME = /^-----(?:BEGIN|END) [A-Z0-9 ]+-----$/;

function wholeForms(value: string): string[] {
  // A line end that was typed with it is often lost on the way.
  const trimmed = value.trim();
  const written = [value, ...(trimmed.length >= SHORTEST_MASKED ? [trimmed] : []), value.replaceAll('\n', '\r\n')];
  return written.flatMap((text) => [text, ...encodedForms(text)]);
}

function encodedForms(text: string): string[] {
  const percent = encodeURIComponent(text.toWellFormed());
  const strict = percent.replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  const urls = [percent, strict].flatMap((form) => [form, form.replaceAll('%20', '+'), form.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())]);
  return [...urls, JSON.stringify(text).slice(1, -1), text.replaceAll("'", String.raw`'\''`), ...base64Forms(text)];
}

/** Base64 of the text, alone and inside something longer: then it begins at any of three places of a group. */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8');
  const whole = bytes.toString('base64');
  const inside = [0, 1, 2].map((offset) => {
    const bits = (offset + bytes.length) * 8;
    // Only the characters that no neighbour has a part in.
    return Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .slice(Math.ceil((offset * 8) / 6), Math.floor(bits / 6));
  });
  const forms = [whole, whole.replaceAll('=', ''), ...inside.filter((form) => form.length >= SHORTEST_PART)];
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

function maskedError(error: IngotError, text: (text: string) => string): IngotError {
  const { hint, detail, cause } = error;
  const masked = new IngotError(error.class, error.code, text(error.message), {
    ...(hint === undefined ? {} : { hint: text(hint) }),
    ...(detail === undefined ? {} : { detail: text(detail) }),
    ...(cause === undefined ? {} : { cause: maskedCause(cause, text) }),
    problems: error.problems.map((problem) => ({
      ...problem,
      message: text(problem.message),
      ...(problem.hint === undefined ? {} : { hint: text(problem.hint) }),
      ...(problem.path === undefined ? {} : { path: text(problem.path) }),
      ...(problem.source === undefined ? {} : { source: text(problem.source) }),
    })),
  });
  if (error.stack !== undefined) masked.stack = text(error.stack);
  return masked;
}

function maskedCause(cause: unknown, text: (text: string) => string): unknown {
  if (cause instanceof IngotError) return maskedError(cause, text);
  if (!(cause instanceof Error)) return text(String(cause));
  const masked = new Error(text(cause.message), cause.cause === undefined ? {} : { cause: maskedCause(cause.cause, text) });
  masked.name = cause.name;
  if (cause.stack !== undefined) masked.stack = text(cause.stack);
  return masked;
}

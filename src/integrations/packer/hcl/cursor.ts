import { HclFault, type Place } from './syntax.ts';

const IDENTIFIER = /[\p{ID_Start}_][\p{ID_Continue}-]*/uy;
const NUMBER = /\d+(\.\d+)?([eE][+-]?\d+)?/y;
const SPACE = /[ \t\r]+/y;
const REMARK = /(#|\/\/)[^\n]*|\/\*[\s\S]*?\*\//y;

/** A place in a text, moved forward by what is read. */
export class Cursor {
  readonly text: string;
  offset = 0;
  readonly #lineStarts: number[];
  readonly #firstLine: number;

  /** `firstLine`: which line of its file the text begins with. */
  constructor(text: string, firstLine = 1) {
    this.text = text;
    this.#firstLine = firstLine;
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  }

  place(offset = this.offset): Place {
    let [low, high] = [0, this.#lineStarts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + this.#firstLine, column: offset - (this.#lineStarts[low] ?? 0) + 1 };
  }

  fault(message: string, offset = this.offset): HclFault {
    return new HclFault(message, this.place(offset));
  }

  get done(): boolean {
    return this.offset >= this.text.length;
  }

  /** What comes next, in words for people. */
  get next(): string {
    if (this.done) return 'the end of the file';
    const sign = this.text.slice(this.offset, this.offset + 1);
    return sign === '\n' ? 'the end of the line' : `"${this.match(IDENTIFIER, false) ?? String.fromCodePoint(this.text.codePointAt(this.offset) ?? 0)}"`;
  }

  at(word: string): boolean {
    return this.text.startsWith(word, this.offset);
  }

  /** Reads a word that may be there. */
  take(word: string): boolean {
    if (!this.at(word)) return false;
    this.offset += word.length;
    return true;
  }

  match(pattern: RegExp, move = true): string | undefined {
    pattern.lastIndex = this.offset;
    const [found] = pattern.exec(this.text) ?? [];
    if (found !== undefined && move) this.offset += found.length;
    return found;
  }

  identifier(): string | undefined {
    return this.match(IDENTIFIER);
  }

  number(): number | undefined {
    const text = this.match(NUMBER);
    return text === undefined ? undefined : Number(text);
  }

  /** Passes blanks and remarks; line ends too where they mean nothing. */
  skip(lines: boolean): void {
    for (;;) {
      if (this.match(SPACE) !== undefined) continue;
      if (this.at('/*') && this.text.indexOf('*/', this.offset + 2) < 0) throw this.fault('has a remark that does not end (*/)');
      if (this.match(REMARK) !== undefined) continue;
      if (lines && this.take('\n')) continue;
      return;
    }
  }
}

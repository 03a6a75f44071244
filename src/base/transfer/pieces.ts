/** From a byte, included, to a byte, excluded. */
export type Piece = readonly [start: number, end: number];

/** Which bytes of a file are there: pieces in order, that neither touch nor overlap. */
export class Pieces {
  #all: Piece[] = [];

  constructor(pieces: Iterable<Piece> = []) {
    for (const [start, end] of pieces) this.add(start, end);
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const apart = this.#all.filter((piece) => piece[1] < start || piece[0] > end);
    const joined = this.#all.filter((piece) => piece[1] >= start && piece[0] <= end);
    const whole: Piece = [Math.min(start, ...joined.map((piece) => piece[0])), Math.max(end, ...joined.map((piece) => piece[1]))];
    this.#all = [...apart, whole].sort((a, b) => a[0] - b[0]);
  }

  clear(): void {
    this.#all = [];
  }

  list(): readonly Piece[] {
    return this.#all;
  }

  /** How many bytes are there. */
  get bytes(): number {
    return this.#all.reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** How many bytes are there from the beginning on, without a gap. */
  get prefix(): number {
    const first = this.#all[0];
    return first?.[0] === 0 ? first[1] : 0;
  }

  /** What lacks of a file of that length, in order, in parts of `size` bytes at most. */
  missing(length: number, size: number): Piece[] {
    const gaps: Piece[] = [];
    let at = 0;
    for (const [start, end] of [...this.#all, [length, length] satisfies Piece]) {
      for (; at < Math.min(start, length); at = gaps.at(-1)?.[1] ?? start) gaps.push([at, Math.min(at + size, start, length)]);
      at = Math.max(at, end);
    }
    return gaps;
  }
}

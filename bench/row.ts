import type { HostPath } from '../src/base/types.ts';

/** What a row of the table works with. */
export interface Bench {
  /** A folder of this run; removed at its end. */
  readonly folder: HostPath;
  /** ingot, as users start it. */
  readonly ingot: string;
  /** The plain pipeline that the builds are compared with: a program that takes a suite, an output and a list of packages. */
  readonly plainPipeline: string | undefined;
  readonly rounds: number;
  say(text: string): void;
}

/** A pair of measurements, taken in turn on the same machine. */
export interface Measured {
  readonly unit: 's' | 'MB';
  /** One for each round. */
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  readonly note?: string;
}

export interface Row {
  readonly name: string;
  readonly what: string;
  readonly against: string;
  /** What the ratio of the medians, or the value itself where there is nothing to compare with, must not exceed. */
  readonly target: { readonly ratio?: number; readonly value?: number };
  /** Measures; a string says why it could not be done here. */
  measure(bench: Bench): Promise<Measured | string>;
}

/** The middle value; of an even number, the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

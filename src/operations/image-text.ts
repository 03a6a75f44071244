import type { Cell, CellStyle } from './table.ts';

/** The first 12 hexadecimal digits of a digest or key: what people compare and paste. */
export function shortDigest(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 12);
}

const UNITS: readonly (readonly [number, string, string])[] = [
  [365 * 86_400, 'year', 'years'],
  [30 * 86_400, 'month', 'months'],
  [86_400, 'day', 'days'],
  [3600, 'h', 'h'],
  [60, 'min', 'min'],
];

/** How long ago, in the largest unit that fits: `3 days`, `5 min`. */
export function formatAge(seconds: number): string {
  for (const [length, one, many] of UNITS) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${count === 1 ? one : many}`;
  }
  return 'just now';
}

/** A number of things: `1 image`, `3 images`. */
export function countOf(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

const GATE_STYLES: Readonly<Record<string, CellStyle>> = { passed: 'green', failed: 'red', damaged: 'red' };

/** A gate's result as a cell. */
export function gateCell(gate: string): Cell {
  return { text: gate === 'not-run' ? 'not run' : gate, style: GATE_STYLES[gate] ?? 'yellow' };
}

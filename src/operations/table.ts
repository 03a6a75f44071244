import type { RenderOptions } from './operation.ts';

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
export type CellStyle = keyof typeof CODES;

/** A cell of a table: text, or text in a style. */
export type Cell = string | { readonly text: string; readonly style: CellStyle };

export interface Column {
  readonly title: string;
  /** Numbers and sizes stand to the right. */
  readonly right?: boolean;
  /** Where the table is wider than the terminal, its texts are cut, or broken into lines. */
  readonly shrink?: boolean | 'wrap';
}

/** How much of a column stays at least, where it is cut. */
const SHORTEST = 16;

/** Puts a text into a style, where colours are wanted. */
export function styled(text: string, style: CellStyle, options: Pick<RenderOptions, 'color'>): string {
  const [on, off] = CODES[style];
  return options.color && text !== '' ? `\u001B[${on}m${text}\u001B[${off}m` : text;
}

/** A table with a heading, columns as wide as their widest cell, and two spaces between them; those that may shrink make it fit, the last one first. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: Pick<RenderOptions, 'color'> & Partial<Pick<RenderOptions, 'width'>>,
): string {
  const heading = columns.map(({ title }) => ({ text: title, style: 'bold' as const }));
  const widths = columns.map((column) => column.title.length);
  for (const row of rows) for (let i = 0; i < widths.length; i++) widths[i] = Math.max(widths[i] ?? 0, textOf(row[i]).length);
  shrink(widths, columns, options.width ?? Number.POSITIVE_INFINITY);
  // Plain loops: a listing of a thousand rows is part of what a command's start costs.
  let table = '';
  for (const row of [heading, ...rows].flatMap((whole) => linesOf(whole, columns, widths))) {
    let line = '';
    for (let i = 0; i < columns.length; i++) {
      const cell = row[i] ?? '';
      const text = cut(textOf(cell), widths[i] ?? 0);
      const padding = ' '.repeat((widths[i] ?? 0) - text.length);
      const shown = typeof cell === 'string' ? text : styled(text, cell.style, options);
      line += `${i === 0 ? '' : '  '}${columns[i]?.right === true ? padding + shown : shown + padding}`;
    }
    table += `${table === '' ? '' : '\n'}${line.trimEnd()}`;
  }
  return table;
}

/** Makes columns narrower, as far as they may be, until the table fits. */
function shrink(widths: number[], columns: readonly Column[], width: number): void {
  let excess = widths.reduce((sum, one) => sum + one + 2, -2) - width;
  for (let i = columns.length - 1; i >= 0 && excess > 0; i--) {
    const now = widths[i] ?? 0;
    if ((columns[i]?.shrink ?? false) === false || now <= SHORTEST) continue;
    widths[i] = Math.max(SHORTEST, now - excess);
    excess -= now - (widths[i] ?? 0);
  }
}

/** A row as it is, or where texts are broken, as many rows as the longest of them needs. */
function linesOf(row: readonly Cell[], columns: readonly Column[], widths: readonly number[]): (readonly Cell[])[] {
  const broken = columns.map((column, i) =>
    column.shrink === 'wrap' && textOf(row[i]).length > (widths[i] ?? 0) ? wrap(textOf(row[i]), widths[i] ?? 0) : undefined,
  );
  if (broken.every((lines) => lines === undefined)) return [row];
  const height = Math.max(...broken.map((lines) => lines?.length ?? 1));
  return Array.from({ length: height }, (_, line) =>
    columns.map((_column, i) => restyled(row[i], broken[i] === undefined ? (line === 0 ? undefined : '') : (broken[i][line] ?? ''))),
  );
}

function restyled(cell: Cell | undefined, text: string | undefined): Cell {
  if (cell === undefined || text === undefined) return cell ?? '';
  return typeof cell === 'string' ? text : { ...cell, text };
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function textOf(cell: Cell | undefined): string {
  return cell === undefined ? '' : typeof cell === 'string' ? cell : cell.text;
}

import type { RenderOptions } from './operation.ts';

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
export type CellStyle = keyof typeof CODES;

/** A cell of a table: text, or text in a style. */
export type Cell = string | { readonly text: string; readonly style: CellStyle };

export interface Column {
  readonly title: string;
  /** Numbers and sizes stand to the right. */
  readonly right?: boolean;
}

/** Puts a text into a style, where colours are wanted. */
export function styled(text: string, style: CellStyle, options: Pick<RenderOptions, 'color'>): string {
  const [on, off] = CODES[style];
  return options.color && text !== '' ? `\u001B[${on}m${text}\u001B[${off}m` : text;
}

/** A table with a heading, columns as wide as their widest cell, and two spaces between them. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], options: Pick<RenderOptions, 'color'>): string {
  const widths = columns.map((column, i) => rows.reduce((width, row) => Math.max(width, textOf(row[i]).length), column.title.length));
  const line = (cells: readonly Cell[]): string =>
    columns
      .map((column, i) => {
        const cell = cells[i] ?? '';
        const text = textOf(cell);
        // The last column needs no padding, and styles must not count as width.
        const padding = column.right !== true && i === columns.length - 1 ? '' : ' '.repeat((widths[i] ?? 0) - text.length);
        const shown = typeof cell === 'string' ? text : styled(text, cell.style, options);
        return column.right === true ? padding + shown : shown + padding;
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => ({ text: title, style: 'bold' as const }))), ...rows.map(line)].join('\n');
}

function textOf(cell: Cell | undefined): string {
  return cell === undefined ? '' : typeof cell === 'string' ? cell : cell.text;
}

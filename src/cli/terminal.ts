/** A text stream of the user, and what it can show. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Whether colours and cursor movements are understood and wanted. */
  readonly color: boolean;
  readonly cursor: boolean;
  /** Columns; 80 where unknown. */
  width(): number;
  /** Rows; 24 where unknown. */
  height(): number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Wraps a stream of the process. NO_COLOR (any non-empty value) and TERM=dumb are respected. */
export function outputOf(stream: NodeJS.WriteStream, env: Environment): Output {
  const isTerminal = stream.isTTY === true;
  const dumb = env['TERM'] === 'dumb' || env['TERM'] === undefined;
  return {
    write: (text) => void stream.write(text),
    isTerminal,
    color: isTerminal && !dumb && (env['NO_COLOR'] ?? '') === '',
    cursor: isTerminal && !dumb,
    width: () => Math.max(20, stream.columns ?? 80),
    height: () => Math.max(5, stream.rows ?? 24),
  };
}

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const;
export type Style = keyof typeof CODES;

/** Puts a text into a style, where colours are wanted. */
export function paint(color: boolean, style: Style, text: string): string {
  const [on, off] = CODES[style];
  return color && text !== '' ? `\u001B[${on}m${text}\u001B[${off}m` : text;
}

// eslint-disable-next-line no-control-regex -- the escape character is what is looked for
const ESCAPES = /\u001B\[[0-9;?]*[ -/]*[@-~]/g;
// eslint-disable-next-line no-control-regex -- control characters are what is removed
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F]/g;

/** Removes escape sequences and control characters of foreign text (tools, consoles), but not line ends and tabs. */
export function plain(text: string): string {
  return text.replaceAll(ESCAPES, '').replaceAll('\r\n', '\n').replaceAll(CONTROLS, '');
}

/** Cuts a text without escapes to a number of columns, with an ellipsis where something was cut. */
export function cut(text: string, columns: number): string {
  const characters = [...text];
  if (characters.length <= columns) return text;
  return columns < 1 ? '' : `${characters.slice(0, columns - 1).join('')}…`;
}

/** Breaks a text into lines of at most so many columns, at spaces; longer words stay whole. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return line === '' ? lines : [...lines, line];
}

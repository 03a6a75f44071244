import { IngotError, toIngotError, type Problem } from '../base/errors.ts';
import { paint, plain, wrap } from './terminal.ts';

export interface ErrorRendering {
  readonly color: boolean;
  readonly width: number;
  /** Shows the stack of a defect. */
  readonly verbose: boolean;
}

/** An error for people, with a final line end: sentence and code, problems, evidence, causes, hint. */
export function renderError(thrown: unknown, options: ErrorRendering): string {
  const error = toIngotError(thrown);
  const { color, width } = options;
  const lines = [`${paint(color, 'red', 'error:')} ${paint(color, 'bold', plain(error.message))} ${paint(color, 'dim', `(${error.code})`)}`];
  // Beyond a few, the lines of a file would only push the sentences off the screen.
  const withSource = error.problems.length <= MOST_WITH_SOURCE;
  for (const problem of error.problems) lines.push(...problemLines(problem, color), ...(withSource ? sourceLines(problem, options) : []));
  for (const cause of causesOf(error)) lines.push(`  caused by: ${plain(cause)}`);
  if (error.detail !== undefined && error.detail.trim() !== '') {
    lines.push(
      '',
      ...plain(error.detail)
        .trimEnd()
        .split('\n')
        .map((line) => `    ${line}`),
      '',
    );
  }
  const hint = isDefect(error)
    ? 'This is a defect of ingot. Please report it with the command, this message and the output of the same command with --verbose.'
    : error.hint;
  if (hint !== undefined) {
    const [first = '', ...more] = wrap(hint, Math.max(30, Math.min(width, 120) - 6));
    lines.push(`${paint(color, 'cyan', 'hint:')} ${first}`, ...more.map((line) => `      ${line}`));
  }
  if (isDefect(error) && options.verbose) lines.push('', ...stackOf(error).map((line) => paint(color, 'dim', line)));
  return `${lines.join('\n')}\n`;
}

/** The same error as one JSON document on one line: what `--json` writes to standard error. */
export function errorDocument(thrown: unknown): string {
  const error = toIngotError(thrown);
  const causes = causesOf(error);
  return `${JSON.stringify({
    error: {
      code: error.code,
      class: error.class,
      exitCode: error.exitCode,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      ...(error.problems.length === 0 ? {} : { problems: error.problems }),
      ...(causes.length === 0 ? {} : { causes }),
    },
  })}\n`;
}

/** Whether nobody foresaw the error. */
function isDefect(error: IngotError): boolean {
  return error.class === 'internal' && error.code === 'internal';
}

function problemLines(problem: Problem, color: boolean): string[] {
  const place = problem.position === undefined ? '' : `${problem.position.file}:${problem.position.line}:${problem.position.column} `;
  const path = problem.path === undefined || problem.path === '' ? '' : `${problem.path}: `;
  const hint = problem.hint === undefined ? '' : paint(color, 'dim', `. ${problem.hint}`);
  return [`  ${paint(color, 'cyan', place)}${path}${plain(problem.message)}${hint}`];
}

/** Most problems that are shown with their lines. */
const MOST_WITH_SOURCE = 12;

/** The line of a file that a problem is about, with a mark below its place. */
function sourceLines({ position, source }: Problem, { color, width }: ErrorRendering): string[] {
  if (position === undefined || source === undefined || source.trim() === '') return [];
  const number = `    ${position.line} | `;
  const line = source.slice(0, 1000).replaceAll('\t', ' ');
  const column = Math.min(position.column, line.length + 1);
  // Of a long line, the part around the place.
  const room = Math.max(20, width - number.length);
  const start = column > room - 5 ? column - Math.floor(room / 2) : 0;
  const shown = plain(line.slice(start, start + room).padEnd(column - start - 1)).trimEnd();
  const mark = `${' '.repeat(number.length + column - start - 1)}^`;
  return [paint(color, 'dim', `${number}${shown}`), paint(color, 'red', mark)];
}

/** The messages of the causes that say something new. */
function causesOf(error: IngotError): string[] {
  const causes: string[] = [];
  let shown = error.message;
  for (let cause: unknown = error.cause; cause !== undefined && causes.length < 5; cause = cause instanceof Error ? cause.cause : undefined) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (!shown.includes(message)) {
      causes.push(cause instanceof IngotError ? `${message} (${cause.code})` : message);
      shown += message;
    }
  }
  return causes;
}

function stackOf(error: IngotError): string[] {
  const source = error.cause instanceof Error ? error.cause : error;
  return (source.stack ?? '').split('\n').slice(1);
}

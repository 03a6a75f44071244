import { Cursor } from './cursor.ts';
import type { Expression } from './syntax.ts';

type Part = string | Expression;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\' };
const JSON_ESCAPES: Readonly<Record<string, string>> = { ...ESCAPES, b: '\b', f: '\f', '/': '/' };

interface TextOptions {
  /** What backslashes mean; false where they mean nothing. */
  readonly escapes: Readonly<Record<string, string>> | false;
  /** The sign that ends it; without one, the end of the text. */
  readonly end: '"' | undefined;
  /** Reads an expression; absent in JSON, where a text is read again if it is a template. */
  readonly expression?: () => Expression;
}

/** A text in quotes, with its escapes undone; neighbouring texts are one. */
export function parseQuoted(at: Cursor, json: boolean, expression: () => Expression): Part[] {
  at.take('"');
  return parseTemplate(at, { escapes: json ? JSON_ESCAPES : ESCAPES, end: '"', ...(json ? {} : { expression }) });
}

/** Text up to its end, with the expressions in it. */
export function parseTemplate(at: Cursor, { escapes, end, expression }: TextOptions): Part[] {
  const parts: Part[] = [];
  const start = at.offset - (end?.length ?? 0);
  let text = '';
  for (;;) {
    if (at.done) {
      if (end === undefined) break;
      throw at.fault('has a text that does not end (")', start);
    }
    if (end !== undefined && at.take(end)) break;
    if (end !== undefined && at.at('\n')) throw at.fault('has a text that does not end in its line (")', start);
    if (escapes !== false && at.at('\\')) text += escaped(at, escapes);
    else if (expression === undefined) text += at.match(/[^"\\\n]/uy) ?? '';
    else if (at.take('$${')) text += '${';
    else if (at.take('%%{')) text += '%{';
    else if (at.at('${') || at.at('%{')) {
      if (text !== '') parts.push(text);
      text = '';
      parts.push(interpolation(at, expression));
    } else text += at.match(/[\s\S]/uy) ?? '';
  }
  return text === '' ? parts : [...parts, text];
}

function escaped(at: Cursor, escapes: Readonly<Record<string, string>>): string {
  const start = at.offset;
  at.take('\\');
  const number = at.match(/u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}/y);
  if (number !== undefined) {
    const code = Number.parseInt(number.slice(1), 16);
    if (code <= 0x10_ff_ff) return String.fromCodePoint(code);
  }
  const sign = at.match(/[\s\S]/uy) ?? '';
  const meant = number === undefined ? escapes[sign] : undefined;
  if (meant === undefined) throw at.fault(`has an escape that there is not: \\${sign}`, start);
  return meant;
}

function interpolation(at: Cursor, expression: () => Expression): Expression {
  const start = at.offset;
  const place = at.place();
  if (at.take('%{')) {
    // A directive has its end in another one; what it chooses between is not computed here.
    const length = at.text.slice(at.offset).indexOf('}');
    if (length < 0) throw at.fault('has a directive that does not end (})', start);
    at.offset += length + 1;
    return { kind: 'other', text: at.text.slice(start, at.offset), place };
  }
  at.take('${');
  at.take('~');
  at.skip(true);
  const value = expression();
  at.skip(true);
  at.take('~');
  if (!at.take('}')) throw at.fault(`has ${at.next} where the } of an expression is expected`);
  return value;
}

/** `<<NAME` or `<<-NAME`, the lines up to one that is NAME alone. Nothing is escaped in it but the beginnings of expressions. */
export function parseHeredoc(at: Cursor, expressionAt: (inner: Cursor) => Expression): Part[] {
  const start = at.offset;
  at.take('<<');
  const flush = at.take('-');
  const mark = at.identifier();
  if (mark === undefined || at.match(/\r?\n/y) === undefined) throw at.fault('has a heredoc without a name at the end of its line', start);
  const lines: string[] = [];
  for (;;) {
    const line = at.match(/[^\n]*/y) ?? '';
    if (line.trim() === mark) break;
    lines.push(line.replace(/\r$/, ''));
    if (!at.take('\n')) throw at.fault(`has a heredoc that does not end (${mark})`, start);
  }
  const indent = flush ? Math.min(...lines.filter((line) => line.trim() !== '').map(blanks)) : 0;
  const text = lines.map((line) => `${flush ? line.slice(Math.min(indent, blanks(line))) : line}\n`).join('');
  const inner = new Cursor(text, at.place(start).line + 1);
  return parseTemplate(inner, { escapes: false, end: undefined, expression: () => expressionAt(inner) });
}

function blanks(line: string): number {
  return line.length - line.trimStart().length;
}

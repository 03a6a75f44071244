import { Code, Interpolated, type HclArgument, type HclBlock, type HclItem, type HclValue } from './document.ts';

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };
/** What a quoted text cannot hold as it is; lone halves of a character pair have no UTF-8 at all. */
const ESCAPED = /["\\\p{Cc}\u2028\u2029\ufeff]|\p{Cs}/gu;

/** What begins an expression in a text; of several signs before the bracket the last one counts. */
const INTRODUCERS = /(\$+|%+)\{/g;

/**
 * A document as HCL2, laid out as `packer fmt` does. What is text is text there too, whatever it holds: `${`, `%{`, quotes, line ends.
 */
export function writeHcl(items: readonly HclItem[]): string {
  return `${bodyLines(items, '').join('\n')}\n`;
}

function bodyLines(items: readonly HclItem[], indent: string): string[] {
  const lines: string[] = [];
  let run: HclArgument[] = [];
  const flush = (): void => {
    lines.push(...argumentLines(run, indent));
    run = [];
  };
  for (const [i, item] of items.entries()) {
    if (item.kind === 'argument') {
      // Signs of equality stand below each other for as long as each value has one line.
      const isLong = valueText(item.value, indent, true).includes('\n');
      if (isLong) flush();
      run.push(item);
      if (isLong) flush();
      continue;
    }
    flush();
    if (item.kind === 'comment') {
      lines.push(item.text === '' ? '' : `${indent}# ${item.text}`);
      continue;
    }
    if (i > 0 && lines.at(-1) !== '') lines.push('');
    lines.push(...blockLines(item, indent));
    if (i < items.length - 1) lines.push('');
  }
  flush();
  return lines;
}

function blockLines({ type, labels, comment, body }: HclBlock, indent: string): string[] {
  const head = [type, ...labels.map((label) => JSON.stringify(label))].join(' ');
  const about = comment.map((text) => `${indent}# ${text}`.trimEnd());
  if (body.length === 0) return [...about, `${indent}${head} {`, `${indent}}`];
  return [...about, `${indent}${head} {`, ...bodyLines(body, `${indent}  `), `${indent}}`];
}

function argumentLines(run: readonly HclArgument[], indent: string): string[] {
  const width = Math.max(0, ...run.map(({ name }) => name.length));
  return run.flatMap(({ name, value }) => `${indent}${name.padEnd(width)} = ${valueText(value, indent, true)}`.split('\n'));
}

/** Columns that a list in one line may take. */
const LIST_WIDTH = 100;

function valueText(value: HclValue, indent: string, mayBeHeredoc = false): string {
  if (typeof value === 'string') return mayBeHeredoc && fitsHeredoc(value) ? heredoc(value) : `"${quoted(value)}"`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Code) return value.text;
  if (value instanceof Interpolated) return `"${value.parts.map((part) => (typeof part === 'string' ? quoted(part) : `\${${part.text}}`)).join('')}"`;
  const inner = `${indent}  `;
  if (isList(value)) {
    const items = value.map((item) => valueText(item, inner));
    const line = `[${items.join(', ')}]`;
    if (line.length <= LIST_WIDTH && !line.includes('\n')) return line;
    return `[\n${items.map((item) => `${inner}${item},\n`).join('')}${indent}]`;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  const names = entries.map(([name]) => `"${quoted(name)}"`);
  const width = Math.max(...names.map((name) => name.length));
  return `{\n${entries.map(([, item], i) => `${inner}${(names[i] ?? '').padEnd(width)} = ${valueText(item, inner)}\n`).join('')}${indent}}`;
}

function isList(value: HclValue): value is readonly HclValue[] {
  return Array.isArray(value);
}

/** The text between quotes that means `text`. Of several signs the ones before the last are written by number, since scanners disagree about a row of them. */
function quoted(text: string): string {
  return text
    .replaceAll(ESCAPED, (sign) => ESCAPES[sign] ?? `\\u${(sign.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
    .replaceAll(INTRODUCERS, (whole: string) => {
      const sign = whole.charAt(0);
      return `${(sign === '$' ? '\\u0024' : '\\u0025').repeat(whole.length - 2)}${sign}${sign}{`;
    });
}

const MARK = 'EOT';

/** A heredoc knows no escapes but those of expressions, and always ends with a line end. */
function fitsHeredoc(text: string): boolean {
  const lines = text.split('\n');
  if (lines.length < 3 || lines.at(-1) !== '') return false;
  return !/[^\P{Cc}\n\t]|\p{Cs}|[\u2028\u2029\ufeff]|\$\$+\{|%%+\{/u.test(text) && !lines.some((line) => line.trim() === MARK);
}

function heredoc(text: string): string {
  return `<<${MARK}\n${text.replaceAll(INTRODUCERS, (whole: string) => `${whole.charAt(0)}${whole}`)}${MARK}`;
}

/** A document as JSON, in the mapping that HCL defines for it: what Packer reads from `*.pkr.json`. Comments become keys named `//`. */
export function writeHclJson(items: readonly HclItem[]): string {
  return `${JSON.stringify(bodyJson(items), undefined, 2)}\n`;
}

type Json = string | number | boolean | Json[] | { [name: string]: Json };

function bodyJson(items: readonly HclItem[]): { [name: string]: Json } {
  const body: { [name: string]: Json } = {};
  const remarks = items.flatMap((item) => (item.kind === 'comment' && item.text !== '' ? [item.text] : item.kind === 'block' ? item.comment : []));
  if (remarks.length > 0) body['//'] = remarks.join(' ');
  for (const item of items) if (item.kind === 'argument') body[item.name] = valueJson(item.value);
  const blocks = items.filter((item) => item.kind === 'block');
  for (const type of new Set(blocks.map((item) => item.type))) {
    // A list keeps the order of blocks, which counts for those that run one after the other.
    body[type] = blocks
      .filter((item) => item.type === type)
      .map(({ labels, body: inner }) => labels.reduceRight<Json>((json, label) => ({ [label]: json }), bodyJson(inner)));
  }
  return body;
}

function valueJson(value: HclValue): Json {
  if (typeof value === 'string') return templateText(value);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  // A type is no expression in HCL's JSON: `string`, not `${string}`.
  if (value instanceof Code) return /^(string|number|bool|any|(list|map|set)\(\w+\))$/.test(value.text) ? value.text : `\${${value.text}}`;
  if (value instanceof Interpolated) return value.parts.map((part) => (typeof part === 'string' ? templateText(part) : `\${${part.text}}`)).join('');
  if (isList(value)) return value.map(valueJson);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [templateText(name), valueJson(item)]));
}

/** A text in JSON is read as a template, without escapes by backslash. */
function templateText(text: string): string {
  return text.replaceAll(INTRODUCERS, (whole: string) => {
    const sign = whole.charAt(0);
    return `${`\${"${sign}"}`.repeat(whole.length - 2)}${sign}${sign}{`;
  });
}

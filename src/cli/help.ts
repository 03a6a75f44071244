import type { Field } from '../operations/fields.ts';
import { fieldsOf } from '../operations/fields.ts';
import type { Operation } from '../operations/operation.ts';
import { GROUPS, type RegistryEntry } from '../operations/registry.ts';
import { GLOBAL_FLAGS } from '../operations/global-flags.ts';
import { paint, wrap } from './terminal.ts';

export interface HelpRendering {
  readonly color: boolean;
  readonly width: number;
}

const LEFT = 2;

/** `ingot --help`: every command under its heading. */
export function renderTopHelp(
  description: string,
  commands: readonly { name: string; summary: string; group: RegistryEntry['group'] }[],
  options: HelpRendering,
): string {
  const blocks: string[][] = [[description], ['Usage: ingot <command> [arguments] [options]']];
  const column = Math.max(...commands.map(({ name }) => name.length)) + LEFT + 2;
  for (const [group, title] of Object.entries(GROUPS)) {
    const rows = commands.filter((command) => command.group === group);
    if (rows.length === 0) continue;
    blocks.push([paint(options.color, 'bold', title), ...rows.flatMap(({ name, summary }) => row(name, summary, column, options))]);
  }
  blocks.push([paint(options.color, 'bold', 'Everywhere'), ...globalRows(options)]);
  blocks.push(['ingot <command> --help tells more about a command.']);
  return layOut(blocks);
}

/** `ingot image`: the commands of a group. */
export function renderGroupHelp(group: string, commands: readonly { name: string; summary: string }[], options: HelpRendering): string {
  const column = Math.max(...commands.map(({ name }) => name.length)) + LEFT + 2;
  return layOut([
    [`Usage: ingot ${group} <command> [arguments] [options]`],
    [paint(options.color, 'bold', 'Commands'), ...commands.flatMap(({ name, summary }) => row(name, summary, column, options))],
    [`ingot ${group} <command> --help tells more about a command.`],
  ]);
}

/** `ingot <command> --help`, made from the declaration. */
export function renderCommandHelp(
  operation: Pick<Operation, 'name' | 'summary' | 'description' | 'input' | 'examples' | 'headings'>,
  options: HelpRendering,
): string {
  const fields = fieldsOf(operation);
  const positionals = fields.filter((field) => field.positional);
  const flags = fields.filter((field) => !field.positional);
  const blocks: string[][] = [wrap(`${operation.summary}.`, options.width)];
  if (operation.description !== undefined) blocks.push(wrap(operation.description, options.width));
  blocks.push(wrapUsage(usageLine(operation.name, fields), options.width));
  const rows = [
    ...positionals.map((field) => [field.placeholder, fieldText(field)] as const),
    ...flags.map((field) => [flagText(field), fieldText(field)] as const),
  ];
  const column = Math.min(34, Math.max(...rows.map(([left]) => left.length), 12) + LEFT + 2);
  if (positionals.length > 0) {
    blocks.push([paint(options.color, 'bold', 'Arguments'), ...positionals.flatMap((field) => row(field.placeholder, fieldText(field), column, options))]);
  }
  for (const [title, keys] of Object.entries({ Options: keysWithout(flags, operation.headings), ...operation.headings })) {
    const own = flags.filter(({ key }) => keys.includes(key));
    if (own.length > 0) blocks.push([paint(options.color, 'bold', title), ...own.flatMap((field) => row(flagText(field), fieldText(field), column, options))]);
  }
  blocks.push([paint(options.color, 'bold', 'Everywhere'), ...globalRows(options)]);
  if (operation.examples.length > 0) {
    const examples = operation.examples.flatMap(({ command, does }) => [
      `  ${command}`,
      ...wrap(does, options.width - 6).map((line) => `      ${paint(options.color, 'dim', line)}`),
    ]);
    blocks.push([paint(options.color, 'bold', 'Examples'), ...examples]);
  }
  blocks.push(['Exit codes: 0 done, 2 wrong input, 5 the host lacks something; all of them', 'are in docs/reference/exit-codes.md.']);
  return layOut(blocks);
}

/** The keys that stand under none of the headings. */
function keysWithout(fields: readonly Field[], headings: Operation['headings'] = {}): string[] {
  const placed = new Set(Object.values(headings).flat());
  return fields.flatMap(({ key }) => (placed.has(key) ? [] : [key]));
}

/** `ingot image export <image> <output> [options]`. */
export function usageLine(name: string, fields: readonly Field[]): string {
  const words = fields
    .filter((field) => field.positional)
    .map((field) => {
      const shown = field.many ? `${field.placeholder}…` : field.placeholder;
      return field.required ? `<${shown}>` : `[${shown}]`;
    });
  const required = fields.filter((field) => !field.positional && field.required).map((field) => `--${field.flag} <${field.placeholder}>`);
  return ['ingot', name, ...words, ...required, '[options]'].join(' ');
}

/** How a flag is written: `-s, --size <SIZE>`, `--[no-]start` where it is on by default. */
export function flagText(field: Field): string {
  const short = field.short === undefined ? '' : `-${field.short}, `;
  if (field.kind === 'boolean') return `${short}--${field.default === true ? '[no-]' : ''}${field.flag}`;
  return `${short}--${field.flag} <${field.placeholder}>`;
}

/** The description of a field with its default, its choices and whether it may be repeated. */
export function fieldText(field: Field): string {
  const notes: string[] = [];
  if (field.kind === 'boolean' && field.default === true) notes.push('default: yes');
  if (field.kind === 'choice' && field.positional) notes.push(`one of ${field.choices.join(', ')}`);
  if (field.default !== undefined && field.kind !== 'boolean' && !(Array.isArray(field.default) && field.default.length === 0))
    notes.push(`default: ${String(field.default)}`);
  if (field.kind === 'choice' && field.off !== undefined) notes.push(`--no-${field.flag} stands for ${field.off}`);
  if (field.many && !field.positional) notes.push('may be given several times');
  if (field.required && !field.positional) notes.push('required');
  return [field.description, notes.length === 0 ? '' : `(${notes.join('; ')})`].filter((part) => part !== '').join(' ');
}

function globalRows(options: HelpRendering): string[] {
  const names = GLOBAL_FLAGS.map(({ flag, short }) => (short === undefined ? `    --${flag}` : `-${short}, --${flag}`));
  const column = Math.max(...names.map((name) => name.length)) + LEFT + 2;
  return GLOBAL_FLAGS.flatMap(({ description }, index) => row(names[index] ?? '', description, column, options));
}

/** A left and a right column; the right one starts below where the left one is too long. */
function row(left: string, right: string, column: number, options: HelpRendering): string[] {
  const lines = wrap(right, Math.max(20, options.width - column));
  const head = `${' '.repeat(LEFT)}${left}`;
  const rest = (from: number): string[] => lines.slice(from).map((line) => `${' '.repeat(column)}${line}`);
  if (head.length + 2 > column) return [head, ...rest(0)];
  return [`${head.padEnd(column)}${lines[0] ?? ''}`.trimEnd(), ...rest(1)];
}

function wrapUsage(usage: string, width: number): string[] {
  const [first = '', ...more] = wrap(`Usage: ${usage}`, width - 4);
  return [first, ...more.map((line) => `           ${line}`)];
}

function layOut(blocks: readonly (readonly string[])[]): string {
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`;
}

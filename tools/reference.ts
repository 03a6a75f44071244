/* Writes docs/reference/ from the declarations. A test fails where the files there differ from what this makes. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { EXIT_CODES } from '../src/base/errors.ts';
import { BUILT_IN, PROJECT_FILE } from '../src/base/settings.ts';
import { PROJECT_MAY_SET, settingsSchema, variableOf } from '../src/base/settings-schema.ts';
import { fieldText, flagText, usageLine } from '../src/cli/help.ts';
import { fieldsOf } from '../src/operations/fields.ts';
import { GLOBAL_FLAGS } from '../src/operations/global-flags.ts';
import { GROUPS, loadOperation, REGISTRY } from '../src/operations/registry.ts';
import { distrosPage } from './distros-reference.ts';
import { familiesPage } from './family-results.ts';
import { faultsPage } from './fault-results.ts';
import { formatsPage } from './format-results.ts';
import { labJsonSchema, labPage } from './lab-reference.ts';
import { fleetJsonSchema, fleetPage } from './fleet-reference.ts';
import { packagesPage } from './packages-reference.ts';
import { rolesPage } from './roles-reference.ts';
import { templateJsonSchema, templatePage } from './template-reference.ts';

const root = join(import.meta.dirname, '..');
const NOTE = '<!-- Made by tools/reference.ts from the declarations; do not edit. -->';

/** Every page of the reference: name of the file -> text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['commands.md', await commandsPage()],
    ['exit-codes.md', exitCodesPage()],
    ['errors.md', errorsPage()],
    ['settings.md', settingsPage()],
    ['template.md', templatePage(NOTE)],
    ['template.schema.json', templateJsonSchema()],
    ['packages.md', await packagesPage(NOTE)],
    ['distros.md', await distrosPage(NOTE)],
    ['roles.md', await rolesPage(NOTE)],
    ['families.md', familiesPage(NOTE)],
    ['formats.md', formatsPage(NOTE)],
    ['faults.md', faultsPage(NOTE)],
    ['fleet.md', fleetPage(NOTE)],
    ['fleet.schema.json', fleetJsonSchema()],
    ['lab.md', labPage(NOTE)],
    ['lab.schema.json', labJsonSchema()],
  ]);
}

async function commandsPage(): Promise<string> {
  const blocks = [
    NOTE,
    '# Commands',
    'Results go to standard output, progress and messages to standard error. With `--json` the result is one JSON document on standard output, and an error is one JSON document on one line of standard error: `{"error": {"code", "class", "exitCode", "message", "hint"?, "detail"?, "problems"?, "causes"?}}`; progress is never mixed into either. Flags may stand anywhere before `--`, values as `--flag value` or `--flag=value`.',
    '## Everywhere',
    table(
      ['Option', 'Meaning'],
      GLOBAL_FLAGS.map(({ flag, short, description }) => [code(short === undefined ? `--${flag}` : `-${short}, --${flag}`), description]),
    ),
  ];
  for (const [group, title] of Object.entries(GROUPS)) {
    blocks.push(`## ${title}`);
    for (const name of Object.keys(REGISTRY).filter((candidate) => REGISTRY[candidate]?.group === group)) {
      const operation = await loadOperation(name);
      const fields = fieldsOf(operation);
      blocks.push(`### ingot ${name}`, `${operation.summary}.`);
      if (operation.description !== undefined) blocks.push(operation.description);
      blocks.push(fence(usageLine(name, fields)));
      if (fields.length > 0) {
        blocks.push(
          table(
            ['Argument or option', 'Meaning'],
            fields.map((field) => [code(field.positional ? field.placeholder : flagText(field)), fieldText(field)]),
          ),
        );
      }
      blocks.push(fence(operation.examples.flatMap(({ command, does }) => [`# ${does}`, command]).join('\n')));
    }
  }
  return page(blocks);
}

function exitCodesPage(): string {
  // The words are those of the source, so that they are written once.
  const source = readFileSync(join(root, 'src', 'base', 'errors.ts'), 'utf8');
  const rows = Object.entries(EXIT_CODES).map(([name, number]) => {
    const comment = new RegExp(String.raw`/\*\* ([^*]+) \*/\s+'?${name}'?: ${number},`).exec(source)?.[1] ?? '';
    return [String(number), code(name), comment];
  });
  return page([
    NOTE,
    '# Exit codes',
    'A script tells from the code alone whether trying again, or other input, can help. `vm exec` and `vm ssh` exit with the code of what they ran.',
    table(['Code', 'Class', 'Meaning'], [['0', '', 'Done.'], ...rows]),
  ]);
}

function errorsPage(): string {
  const found = new Map<string, { kind: string; message: string }>();
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  for (const file of files.toSorted()) {
    const text = readFileSync(join(root, 'src', file), 'utf8');
    for (const match of text.matchAll(/new IngotError\(\s*'([a-z-]+)',\s*'([a-z-]+)',\s*(?:`([^`]*)`|'((?:[^'\\]|\\.)*)'|"([^"]*)")?/g)) {
      const [, kind = '', name = '', template, single, double] = match;
      const message = (template ?? single ?? double ?? '').replaceAll(/\$\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}/g, '…');
      if (!found.has(name)) found.set(name, { kind, message });
    }
  }
  const rows = [...found].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, { kind, message }]) => [code(name), code(kind), message]);
  return page([
    NOTE,
    '# Error codes',
    'Codes are stable. The class decides the [exit code](exit-codes.md); `…` stands for what differs.',
    table(['Code', 'Class', 'Sentence'], rows),
  ]);
}

function settingsPage(): string {
  const rows = Object.entries(settingsSchema.shape).map(([name, schema]) => {
    const inner = schema instanceof z.ZodDefault ? schema.unwrap() : schema;
    const values = inner instanceof z.ZodEnum ? inner.options : [];
    const builtIn: Readonly<Record<string, string | number>> = BUILT_IN;
    const project = PROJECT_MAY_SET[name];
    const allowed = project === undefined ? 'no' : values.every(project) ? 'yes' : values.filter(project).join(', ');
    return [
      code(name),
      code(variableOf(name)),
      `${schema.description ?? ''}${values.length === 0 ? '' : `: ${values.join(', ')}`}`,
      String(builtIn[name] ?? ''),
      allowed,
    ];
  });
  return page([
    NOTE,
    '# Settings',
    `A flag of a command is above the environment, that above the file of the project (\`${PROJECT_FILE}\` in the working directory or the nearest folder above it), that above your own file (\`settings.yaml\` in the home), and that above the default. See [settings and secrets](../secrets-and-settings.md).`,
    table(['Setting', 'Environment', 'Meaning', 'Default', 'In a project'], rows),
  ]);
}

function page(blocks: readonly string[]): string {
  return `${blocks.join('\n\n')}\n`;
}

function fence(text: string): string {
  return `\`\`\`sh\n${text}\n\`\`\``;
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.main) {
  const folder = join(root, 'docs', 'reference');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of await referencePages()) writeFileSync(join(folder, name), text);
}

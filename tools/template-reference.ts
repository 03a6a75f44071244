/* The reference of template files and their JSON Schema, made from src/template/schema.ts. */
import * as z from 'zod';
import { templateSchema } from '../src/template/schema.ts';
import { STEP_SCHEMAS } from '../src/template/step-schema.ts';
import { TEST_SCHEMAS } from '../src/template/test-schema.ts';
import { textFrom } from '../src/template/text.ts';
import { TEMPLATE_EXAMPLES } from './template-examples.ts';

type Schema = z.core.JSONSchema.JSONSchema;
/** A schema as it may stand inside another. */
type Inner = z.core.JSONSchema._JSONSchema;

const OPTIONS = { io: 'input', target: 'draft-2020-12' } as const;
const TEMPLATE = z.toJSONSchema(templateSchema, OPTIONS);
const TEXT_FROM = JSON.stringify(z.toJSONSchema(textFrom, OPTIONS).anyOf);

/** docs/reference/template.schema.json: what editors check and complete with. */
export function templateJsonSchema(): string {
  const properties = Object.fromEntries(
    Object.entries(TEMPLATE.properties ?? {}).map(([key, value]) => [key, ['extends', 'include', 'variables'].includes(key) ? value : orVariable(value)]),
  );
  const variable = {
    description: 'A reference to a variable of the template',
    type: 'string',
    pattern: String.raw`\{\{[ \t]*[A-Za-z][A-Za-z0-9_-]*[ \t]*\}\}`,
  };
  const { $schema, ...rest } = TEMPLATE;
  return `${JSON.stringify({ $schema, title: 'Template of ingot', description: 'What an image holds', ...rest, properties, $defs: { variable } }, undefined, 2)}\n`;
}

/** Where more than any text is asked for, a reference to a variable is right too: which value it has is known only at the build. */
function orVariable(given: Inner): Inner {
  return typeof given === 'boolean' ? given : schemaOrVariable(given);
}

function schemaOrVariable(given: Schema): Schema {
  const { description, default: value, ...rest } = given;
  const outer = { ...(description === undefined ? {} : { description }), ...(value === undefined ? {} : { default: value }) };
  const reference = { $ref: '#/$defs/variable' };
  if (rest.anyOf !== undefined) {
    const options = rest.anyOf.map((option) => (option.type === 'object' ? schemaOrVariable(option) : option));
    return { ...outer, ...rest, anyOf: options.every((option) => option.type === 'object') ? options : [...options, reference] };
  }
  if (rest.type === 'object') {
    return {
      ...outer,
      ...rest,
      ...(rest.properties === undefined
        ? {}
        : { properties: Object.fromEntries(Object.entries(rest.properties).map(([key, inner]) => [key, orVariable(inner)])) }),
      ...(typeof rest.additionalProperties === 'object' ? { additionalProperties: orVariable(rest.additionalProperties) } : {}),
    };
  }
  if (rest.type === 'array') {
    const items = typeof rest.items === 'object' && !Array.isArray(rest.items) ? { items: orVariable(rest.items) } : {};
    return { ...outer, anyOf: [{ ...rest, ...items }, reference] };
  }
  const anyText = rest.type === 'string' && Object.keys(rest).length === 1;
  return anyText ? given : { ...outer, anyOf: [rest, reference] };
}

interface Section {
  readonly title: string;
  readonly text: string;
  readonly rows: readonly (readonly string[])[];
  readonly example: string | undefined;
}

/** docs/reference/template.md: every key with type, default and meaning. */
export function templatePage(note: string): string {
  const sections: Section[] = [];
  addSection(
    'Template',
    { ...TEMPLATE, description: 'All keys but `from` may be left out; a file that others extend or include may leave out any.' },
    sections,
  );
  const intro = [
    note,
    '# Template files',
    'A template says what an image holds. `ingot build web.yaml` builds it, `ingot template validate web.yaml` checks it, `ingot template show web.yaml` shows it after its files were joined and its variables filled in. The [guide](../templates.md) has a whole one to copy. The schema for editors is [template.schema.json](template.schema.json): `# yaml-language-server: $schema=…` in the first line points to it, as `ingot template init` writes it.',
    '## How files are joined',
    '`extends` names one file, `include` several; both are relative to the file that names them. They are joined in this order: what is extended, what is included, the file itself. Maps are merged at every depth, lists are joined one after the other, single values are replaced; users of the same name are one user, `from` is replaced as a whole, and a variable declared with a type takes a value alone as its new default. A file that is named twice is joined once. A key without a value counts as not there.',
    '## Paths',
    "`copy`, `script`, `ansible`, `{ file: … }`, `extends` and `include` name files relative to the file in which they stand. Nothing leads out of the template's folder: no absolute path, no `~`, no `..` beyond it, no link beyond it. Where a folder above has an `ingot.settings.yaml`, that folder is the border. Links inside a copied folder are copied as links; an absolute target is a path of the image. Only `from: { file: … }` may be absolute, since disks lie elsewhere.",
    '## Variables in texts',
    'A text that is `{{ name }}` alone takes the value with its type; inside other text it is put in as text. What is no name, such as `{{.Names}}`, stays as it is; `\\{{ name }}` stays `{{ name }}`. Keys hold no variables, nor do `extends` and `include`. A value comes from `--var name=value`, else from `INGOT_VAR_<NAME>` (upper case, dashes as underscores), else from the default.',
    '## Secrets',
    'A secret is used by its name, in `secrets` of a step (as an environment variable) or in `password-hash` of a user; [its value](../secrets-and-settings.md) is never stored in an image, a layer or a key. A template that holds the value of a stored secret in plain, in its text or in a file that it brings in, is refused.',
  ];
  return `${[...intro, ...sectionBlocks(sections)].join('\n\n')}\n`;
}

/** The sections of another kind of file, by the same rules. */
export function schemaBlocks(title: string, schema: Schema): string[] {
  const sections: Section[] = [];
  addSection(title, schema, sections);
  return sectionBlocks(sections);
}

function sectionBlocks(sections: readonly Section[]): string[] {
  return sections.flatMap(({ title, text, rows, example }) => [
    `## ${title}`,
    ...(text === '' ? [] : [text]),
    table(['Key', 'Type', 'Default', 'Meaning'], rows),
    ...(example === undefined ? [] : [`\`\`\`yaml\n${example.trimEnd()}\n\`\`\``]),
  ]);
}

function objectSection(title: string, text: string, schema: Schema, sections: Section[]): Section {
  const rows = Object.entries(schema.properties ?? {}).map(([key, value]) =>
    row(key, value, schema.required?.includes(key) === true, ['Template', 'Fleet', 'Lab'].includes(title) ? key : `${title}.${key}`, sections),
  );
  return { title, text, rows, example: TEMPLATE_EXAMPLES[title] };
}

function row(key: string, given: Inner, required: boolean, path: string, sections: Section[]): string[] {
  const schema = objectOf(given);
  const value = schema.default === undefined || isEmpty(schema.default) ? (required ? 'required' : '') : code(yamlText(schema.default));
  return [code(key), typeText(schema, path, sections), value, schema.description ?? ''];
}

/** The type of a value in words; maps get a section of their own, which is linked. */
function typeText(given: Inner, path: string, sections: Section[]): string {
  const schema = objectOf(given);
  if (schema.enum !== undefined) return schema.enum.map((choice) => code(String(choice))).join(', ');
  if (schema.anyOf !== undefined) return unionText(schema.anyOf.map(objectOf), path, sections);
  if (schema.type === 'array') return `list of ${typeText(objectOf(Array.isArray(schema.items) ? {} : (schema.items ?? {})), path, sections)}`;
  if (schema.type === 'object' && schema.properties !== undefined) return link(addSection(path, schema, sections));
  if (schema.type === 'object') return `map of ${typeText(schema.additionalProperties ?? {}, path, sections)}`;
  const range =
    schema.minimum !== undefined || schema.maximum !== undefined
      ? ` ${schema.minimum ?? ''}…${(schema.maximum ?? 0) > 2 ** 32 ? '' : (schema.maximum ?? '')}`
      : '';
  return `${{ string: 'text', integer: 'whole number', number: 'number', boolean: '`true` or `false`' }[String(schema.type)] ?? 'anything'}${range.replace(/…$/, ' or more')}`;
}

function unionText(options: readonly Schema[], path: string, sections: Section[]): string {
  if (JSON.stringify(options) === TEXT_FROM) {
    if (!sections.some(({ title }) => title === TEXT_TITLE))
      sections.push({
        title: TEXT_TITLE,
        text: 'Written in the template itself, or one of these.',
        rows: alternatives(options, TEXT_TITLE, sections),
        example: undefined,
      });
    return link(TEXT_TITLE);
  }
  const kinds = path === 'steps' ? Object.keys(STEP_SCHEMAS) : path === 'tests' ? Object.keys(TEST_SCHEMAS) : undefined;
  if (kinds !== undefined) return kinds.map((kind, i) => link(addSection(`${path}.${kind}`, options[i] ?? {}, sections))).join(', ');
  const objects = options.filter(({ properties }) => properties !== undefined);
  const words = options.filter(({ properties }) => properties === undefined).map((option) => typeText(option, path, sections));
  if (objects.length === 0) return [...new Set(words)].join(' or ');
  const rows = alternatives(objects, path, sections);
  if (!sections.some(({ title }) => title === path)) sections.push({ title: path, text: '', rows, example: TEMPLATE_EXAMPLES[path] });
  return [...new Set(words), link(path)].join(' or ');
}

const TEXT_TITLE = 'Text, file or address';

function alternatives(options: readonly Schema[], path: string, sections: Section[]): string[][] {
  return options.flatMap((option) =>
    Object.entries(option.properties ?? {}).map(([key, value]) =>
      row(key, value, option.required?.includes(key) === true && options.length === 1, `${path}.${key}`, sections),
    ),
  );
}

function addSection(path: string, schema: Schema, sections: Section[]): string {
  if (!sections.some(({ title }) => title === path)) {
    // The place is kept while what is inside gets its own.
    const index = sections.push({ title: path, text: '', rows: [], example: undefined }) - 1;
    sections[index] = objectSection(path, schema.description ?? '', schema, sections);
  }
  return path;
}

function objectOf(schema: Inner): Schema {
  return typeof schema === 'object' ? schema : {};
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function yamlText(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value);
}

function link(title: string): string {
  return `[${title}](#${title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-')})`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

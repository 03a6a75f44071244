import * as z from 'zod';
import { toIngotError, type IngotError } from '../base/errors.ts';
import { loadCatalog, releases } from '../catalog/catalog.ts';
import { listTemplateFiles, templatesFolder, type TemplateFile } from '../template/find.ts';
import { loadTemplate, type LoadedTemplate } from '../template/load.ts';
import { Reading } from '../template/reading.ts';
import { countOf } from './image-text.ts';
import { defineOperation, type Context } from './operation.ts';
import { renderTable, type CellStyle } from './table.ts';

const entry = z.strictObject({
  name: z.string(),
  file: z.string(),
  from: z.string().nullable(),
  description: z.string().nullable(),
  /** `part`: it says nothing of what to start from; `hidden`: its name means something else. */
  state: z.enum(['valid', 'invalid', 'needs-variables', 'part', 'hidden']),
  /** More about the state. */
  note: z.string().nullable(),
});
type Entry = z.output<typeof entry>;

export default defineOperation({
  name: 'template list',
  summary: 'List the templates in your folder of templates',
  description:
    'The folder is the setting `templates`, by default `templates` in the home. A template in it is built by its name alone: ingot build NAME. A release of the catalog wins over a template of the same name.',
  kind: 'query',
  input: z.strictObject({}),
  output: z.strictObject({ folder: z.string(), templates: z.array(entry) }),
  examples: [{ command: 'ingot template list', does: 'every template that can be built by its name' }],
  async run(_input, context) {
    const ids = new Set(releases(await loadCatalog(context)).map(({ id }) => id));
    const files = await listTemplateFiles(context);
    const reading = new Reading(context);
    const templates = await Promise.all(files.map((file) => describe(context, reading, file, hiddenBy(file, files, ids))));
    return { folder: templatesFolder(context), templates };
  },
  render({ folder, templates }, options) {
    if (templates.length === 0) return `There are no templates in ${folder} yet. \`ingot template init NAME\` writes one.`;
    return renderTable(
      [{ title: 'NAME' }, { title: 'FROM' }, { title: 'STATE' }, { title: 'DESCRIPTION' }, { title: 'FILE' }],
      templates.map(({ name, from, state, note, description, file }) => [
        name,
        from ?? '',
        { text: note === null ? state : `${state}: ${note}`, style: STYLES[state] },
        description ?? '',
        { text: file, style: 'dim' },
      ]),
      options,
    );
  },
});

const STYLES: Readonly<Record<Entry['state'], CellStyle>> = { valid: 'green', invalid: 'red', 'needs-variables': 'yellow', part: 'dim', hidden: 'yellow' };

function hiddenBy(file: TemplateFile, files: readonly TemplateFile[], ids: ReadonlySet<string>): string | undefined {
  if (ids.has(file.name)) return `${file.name} is a release`;
  const first = files.find((other) => other.name === file.name);
  return first === undefined || first === file ? undefined : `${file.name}.yaml wins`;
}

async function describe(context: Context, reading: Reading, file: TemplateFile, hidden: string | undefined): Promise<Entry> {
  const common = { name: file.name, file: file.path };
  let loaded: LoadedTemplate;
  try {
    loaded = await loadTemplate(context, file.path, { variables: {}, reading });
  } catch (error) {
    return { ...common, from: null, description: null, ...stateOf(toIngotError(error)) };
  }
  const { from, description } = loaded.template;
  const state = hidden !== undefined ? 'hidden' : from === undefined ? 'part' : 'valid';
  return { ...common, from: from === undefined ? null : fromText(from), description: description ?? null, state, note: hidden ?? null };
}

function stateOf(error: IngotError): Pick<Entry, 'state' | 'note'> {
  const unset = error.problems.filter(({ message }) => message === 'is not set and has no default');
  if (unset.length > 0 && unset.length === error.problems.length) {
    return { state: 'needs-variables', note: unset.map(({ path }) => path?.replace('variables.', '') ?? '').join(', ') };
  }
  return { state: 'invalid', note: error.problems.length > 0 ? countOf(error.problems.length, 'problem') : error.message };
}

function fromText(from: NonNullable<LoadedTemplate['template']['from']>): string {
  if (typeof from === 'string') return from;
  if ('iso' in from) return from.iso;
  if ('release' in from) return from.release;
  return 'image' in from ? from.image : 'file' in from ? from.file : from.url;
}

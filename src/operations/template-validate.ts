import * as z from 'zod';
import { IngotError, toIngotError, type Problem } from '../base/errors.ts';
import { loadFleet, type FleetImage } from '../template/fleet.ts';
import { childOverrides } from '../template/child.ts';
import { findTemplate } from '../template/find.ts';
import { loadTemplate } from '../template/load.ts';
import { shownFile } from '../template/placed.ts';
import { Reading } from '../template/reading.ts';
import { resolveTemplate } from '../template/resolve.ts';
import type { ResolvedTemplate } from '../template/template.ts';
import { countOf } from './image-text.ts';
import { defineOperation, type Context } from './operation.ts';
import { templateInput, variablesOf } from './request-input.ts';
import { renderTable } from './table.ts';

const checked = z.strictObject({
  file: z.string(),
  name: z.string(),
  from: z.string(),
  steps: z.int(),
  /** All files that it was joined from. */
  files: z.array(z.string()),
});

export default defineOperation({
  name: 'template validate',
  summary: 'Check template files and all that they name, without building anything',
  description:
    'Every problem of every file is told with its line and column: unknown keys, wrong types, variables, files that are missing or lie outside, keys and certificates, names of secrets, secrets in plain. Of a fleet file, every image is checked. Exits with 2 where there is any.',
  kind: 'query',
  input: z.strictObject({
    templates: z
      .array(z.string().min(1))
      .min(1)
      .describe('Template files, fleet files, or templates of your folder by their names')
      .meta({ positional: true, complete: 'template' }),
    var: templateInput.var,
    offline: z.boolean().default(false).describe('Ask no address that a template names; use what it said last'),
  }),
  output: z.strictObject({ templates: z.array(checked) }),
  examples: [
    { command: 'ingot template validate web.yaml', does: 'everything that is wrong with a template' },
    { command: 'ingot template validate images/*.yaml --json', does: 'many at once, for CI' },
  ],
  async run(input, context) {
    const reading = new Reading(context);
    const options = { variables: variablesOf(input.var), reading, offline: input.offline };
    const attempt = async <T>(text: string, work: () => Promise<T>): Promise<Attempt<T>> => {
      try {
        return { text, checked: await work() };
      } catch (error) {
        return { text, error: toIngotError(error) };
      }
    };
    const results = (
      await Promise.all(
        input.templates.map(async (text): Promise<Attempt<z.output<typeof checked>>[]> => {
          const fleet = await attempt(text, () => loadFleet(context, text));
          if (fleet.error !== undefined) return [{ text, error: fleet.error }];
          const images = fleet.checked?.images ?? [{ template: text, roles: [], packages: [], variables: {} }];
          return await Promise.all(images.map((image) => attempt(text, () => check(context, image, { ...options, inFleet: fleet.checked !== undefined }))));
        }),
      )
    ).flat();
    const failed = results.flatMap(({ text, error }) => (error === undefined ? [] : [{ text, error }]));
    const [first] = failed;
    if (first === undefined) return { templates: results.flatMap((result) => result.checked ?? []) };
    // What no template is to blame for, such as an address that does not answer, stays what it is.
    const other = failed.find(({ error }) => !['usage', 'not-found'].includes(error.class));
    if (other !== undefined) throw other.error;
    if (results.length === 1) throw first.error;
    throw new IngotError('usage', 'template-invalid', `${failed.length} of ${results.length} templates have problems`, {
      problems: distinct(failed.flatMap(({ text, error }) => (error.problems.length > 0 ? error.problems : [withoutPlace(text, error)]))),
      hint: 'docs/reference/template.md describes every key.',
    });
  },
  render({ templates }, options) {
    return renderTable(
      [{ title: 'TEMPLATE' }, { title: 'IMAGE' }, { title: 'FROM' }, { title: 'HOLDS' }],
      templates.map(({ file, name, from, steps, files }) => [file, name, from, `${countOf(steps, 'step')}, ${countOf(files.length, 'file')}`]),
      options,
    );
  },
});

interface Attempt<T> {
  readonly text: string;
  readonly checked?: T;
  readonly error?: IngotError;
}

interface CheckOptions {
  readonly variables: Readonly<Record<string, string>>;
  readonly reading: Reading;
  readonly offline: boolean;
  readonly inFleet: boolean;
}

async function check(context: Context, image: FleetImage, { variables, reading, offline, inFleet }: CheckOptions): Promise<z.output<typeof checked>> {
  const { template: text, variables: own, ...overrides } = image;
  const found = await findTemplate(context, text);
  if (found.kind !== 'file' && !inFleet) {
    const what = found.kind === 'release' ? 'a release of the catalog' : 'the child of an image';
    throw new IngotError('usage', 'template-is-release', `${text} is ${what}, not a template`, {
      hint: `A file of that name is written with its suffix: ${text}.yaml.`,
    });
  }
  const loaded = found.kind === 'file' ? await loadTemplate(context, found.path, { variables: { ...variables, ...own }, reading }) : undefined;
  const asked =
    found.kind === 'child' ? await childOverrides(context, found, overrides) : { ...overrides, ...(found.kind === 'release' ? { from: found.id } : {}) };
  const resolved = await resolveTemplate(context, loaded, asked, { reading, offline });
  return {
    file: found.kind === 'file' ? shownFile(found.path, context.folder) : text,
    name: resolved.name,
    from: baseText(resolved),
    steps: resolved.steps.length,
    files: (loaded?.files ?? []).map((file) => shownFile(file, context.folder)),
  };
}

/** What an image stands on, in a word. */
export function baseText({ base }: Pick<ResolvedTemplate, 'base'>): string {
  if (base.kind === 'release' || base.kind === 'cloud-image' || base.kind === 'installer') return base.release;
  return base.kind === 'image' ? base.reference : base.kind === 'file' ? base.path : base.url;
}

function withoutPlace(text: string, { message, hint }: IngotError): Problem {
  return { path: text, message, ...(hint === undefined ? {} : { hint }) };
}

/** A problem of a file that several templates share is told once. */
function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

import { IngotError } from '../base/errors.ts';
import type { HostPath } from '../base/types.ts';
import type { TemplateContext } from './confine.ts';
import { checkTree } from './check-tree.ts';
import { collectFragments } from './fragments.ts';
import { merge } from './merge.ts';
import { placedProblems, shownFile } from './placed.ts';
import { Reading } from './reading.ts';
import { templateSchema, type Template } from './schema.ts';
import type { MapNode, Node, PlacedProblem } from './source.ts';
import { fillIn, variableValues } from './variables.ts';
import type { VariableValue } from './variables-schema.ts';

export interface LoadOptions {
  /** What `--var name=value` gave. */
  readonly variables: Readonly<Record<string, string>>;
  /** Shared by all templates of a command. */
  readonly reading?: Reading;
}

/** A template whose files are joined, whose variables are filled in, and which is right in itself; what it names is not read yet. */
export interface LoadedTemplate {
  /** The file that was asked for. */
  readonly file: HostPath;
  /** The folder that nothing of the template leads out of. */
  readonly root: HostPath;
  readonly template: Template;
  readonly variables: Readonly<Record<string, VariableValue>>;
  /** All files that it was joined from, the one asked for last. */
  readonly files: readonly HostPath[];
  /** What the template was made of, with the places of all its parts. */
  readonly tree: MapNode;
}

/**
 * Reads a template file with all that it extends and includes, fills in its variables, and checks it. Throws `template-missing`, and
 * `template-invalid` with every problem of every file at its line and column.
 */
export async function loadTemplate(context: TemplateContext, file: HostPath, options: LoadOptions): Promise<LoadedTemplate> {
  const reading = options.reading ?? new Reading(context);
  return await reading.loaded.get(JSON.stringify([file, options.variables]), () => load(context, reading, file, options));
}

async function load(context: TemplateContext, reading: Reading, named: HostPath, options: LoadOptions): Promise<LoadedTemplate> {
  const found = await reading.at(named);
  if (found?.status === undefined) {
    throw new IngotError('not-found', 'template-missing', `There is no file ${shownFile(named, context.folder)}`, {
      hint: '`ingot template list` shows the templates of your folder, `ingot template init NAME.yaml` writes one to start with.',
    });
  }
  // A template that is reached through a link lies where the link points to; its root is looked for there.
  const file = found.path;
  const root = await reading.root(file);
  const problems: PlacedProblem[] = [];
  const fragments = await collectFragments(context, reading, file, root, problems);
  const [first, ...rest] = fragments;
  if (first === undefined || problems.length > 0) {
    if (problems.length > 0) throw templateInvalid(named, problems, context.folder);
    throw new IngotError('usage', 'template-invalid', `${shownFile(named, context.folder)} is empty`, {
      hint: '`ingot template init NAME.yaml` writes a template to start with.',
    });
  }
  const merged = rest.reduce<Node>((below, above) => merge(below, above), first);
  const values = variableValues(merged, { given: options.variables, env: context.host.env }, problems);
  const { tree, value: template } = checkTree(templateSchema, withoutJoining(fillIn(merged, values, problems)), problems);
  if (problems.length > 0 || template === undefined) throw templateInvalid(named, problems, context.folder);
  const variables = Object.fromEntries([...values].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
  return { file: named, root, template, variables, files: fragments.map(({ place }) => place.source.file), tree };
}

/** The tree as the schema sees it: without what has been joined, and without keys that were left empty. */
function withoutJoining(node: Node): MapNode {
  if (node.kind !== 'map') return { kind: 'map', place: node.place, entries: new Map() };
  const entries = [...node.entries].filter(([key, { value }]) => key !== 'extends' && key !== 'include' && !(value.kind === 'value' && value.value === null));
  return { ...node, entries: new Map(entries) };
}

/** The one error that tells everything that is wrong with a template. */
export function templateInvalid(file: HostPath, problems: readonly PlacedProblem[], folder: string | undefined): IngotError {
  const placed = placedProblems(problems, folder);
  const count = placed.length === 1 ? 'a problem' : `${placed.length} problems`;
  return new IngotError('usage', 'template-invalid', `The template ${shownFile(file, folder)} has ${count}`, {
    problems: placed,
    hint: 'docs/reference/template.md describes every key. `ingot template validate` checks a template without building it.',
  });
}

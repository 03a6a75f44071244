import * as z from 'zod';
import { nearest } from '../base/errors.ts';
import { checkTree } from '../template/check-tree.ts';
import { nodeAt, pathText, plainOf, placeAt, keyPlaceAt, type MapNode, type Node, type PlacedProblem } from '../template/source.ts';
import type { TemplateTest } from '../template/schema.ts';
import { fillIn, references } from '../template/variables.ts';
import type { VariableValue } from '../template/variables-schema.ts';
import { roleInvalid } from './load.ts';
import { FACTS } from './parameters.ts';
import type { Role } from './role.ts';
import { roleSchema, type RolePart } from './schema.ts';

/** What parts are chosen by, besides parameters. */
export type RoleFacts = Readonly<Record<(typeof FACTS)[number], string>>;

/** What stands for the facts where all parts are checked. */
const SAMPLE_FACTS: RoleFacts = { family: 'debian', release: 'debian-13', distribution: 'debian', arch: 'amd64' };

export interface ChosenParts {
  /** All parts that apply, in order. */
  readonly parts: readonly RolePart[];
  readonly tests: readonly TemplateTest[];
  /** The file with the parameters filled in: where the parts' contents were written. */
  readonly tree: MapNode;
}

const bodySchema = z.object({ parts: roleSchema.shape.parts, tests: roleSchema.shape.tests });

/**
 * The parts of a role that apply, with the parameters filled in; without facts all parts, to check them. Throws `role-invalid` with everything that is wrong
 * with them, at its place in role.yaml.
 */
export function chooseParts(role: Role, facts: RoleFacts | undefined, values: ReadonlyMap<string, VariableValue>): ChosenParts {
  const problems: PlacedProblem[] = [];
  const known = new Map<string, VariableValue>([...Object.entries(facts ?? SAMPLE_FACTS), ...values]);
  checkConditions(role, problems);
  checkScripts(role, problems);
  const body: MapNode = { ...role.tree, entries: new Map([...role.tree.entries].filter(([key]) => key === 'parts' || key === 'tests')) };
  const chosen = facts === undefined ? body : withoutOthers(body, known);
  const filled = fillIn(chosen, known, problems, { one: 'parameter', whole: 'role' });
  const { tree, value } = checkTree(bodySchema, filled.kind === 'map' ? filled : chosen, problems);
  if (value === undefined || problems.length > 0) throw roleInvalid(role.folder, problems);
  return { parts: value.parts, tests: value.tests, tree };
}

/** The file with parts that do not apply emptied: the others keep their numbers. */
function withoutOthers(body: MapNode, known: ReadonlyMap<string, VariableValue>): MapNode {
  const parts = nodeAt(body, ['parts']);
  if (parts?.kind !== 'list') return body;
  const items = parts.items.map((part): Node => (applies(part, known) ? part : { kind: 'map', place: part.place, entries: new Map() }));
  const entry = { key: keyPlaceAt(body, ['parts']), value: { ...parts, items } };
  return { ...body, entries: new Map([...body.entries, ['parts', entry]]) };
}

function applies(part: Node, known: ReadonlyMap<string, VariableValue>): boolean {
  return (
    conditionsOf(part, 'when').every(([name, wanted]) => holds(known.get(name), wanted)) &&
    !conditionsOf(part, 'unless').some(([name, wanted]) => holds(known.get(name), wanted))
  );
}

function conditionsOf(part: Node, key: 'when' | 'unless'): [string, unknown][] {
  const node = nodeAt(part, [key]);
  return node?.kind === 'map' ? [...node.entries].map(([name, { value }]) => [name, plainOf(value)]) : [];
}

/** A value is one of those wanted; a list holds one of them; '' is also the empty list. */
function holds(value: VariableValue | undefined, wanted: unknown): boolean {
  const wants: unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  if (Array.isArray(value)) return value.length === 0 ? wants.includes('') : value.some((item) => wants.includes(item));
  return wants.some((want) => want === value);
}

function checkConditions({ head, tree }: Role, problems: PlacedProblem[]): void {
  const names = [...FACTS, ...Object.keys(head.parameters)];
  const parts = nodeAt(tree, ['parts']);
  if (parts?.kind !== 'list') return;
  for (const [i, part] of parts.items.entries()) {
    for (const key of ['when', 'unless'] as const) {
      for (const [name, wanted] of conditionsOf(part, key)) {
        const path = ['parts', i, key, name];
        const text = `parts[${i}].${key}.${name}`;
        if (!names.includes(name)) {
          const near = nearest(name, names);
          const hint = near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known: ${names.join(', ')}.`;
          problems.push({ path: text, message: 'is neither a parameter of the role nor a fact of the image', hint, place: keyPlaceAt(tree, path) });
          continue;
        }
        const { values, type } = head.parameters[name] ?? {};
        const wants: unknown[] = Array.isArray(wanted) ? wanted : [wanted];
        const strange = wants.find(
          (want) => (values !== undefined && want !== '' && !values.some((value) => value === want)) || (type === 'boolean' && typeof want !== 'boolean'),
        );
        if (strange !== undefined) problems.push({ path: text, message: `can never be ${JSON.stringify(strange)}`, place: placeAt(tree, path) });
      }
    }
  }
}

/** Shell scripts of a role: those that run while the layer is made, and those of tests. */
function scriptsOf(tree: MapNode): { readonly path: readonly (string | number)[]; readonly text: string }[] {
  const listAt = (path: readonly (string | number)[]): (readonly (string | number)[])[] => {
    const node = nodeAt(tree, path);
    return node?.kind === 'list' ? node.items.map((_, i) => [...path, i]) : [];
  };
  const parts = listAt(['parts']);
  const paths = [
    ...parts.flatMap((part) => listAt([...part, 'run'])).map((path) => [...path, 'script']),
    ...[...parts.flatMap((part) => listAt([...part, 'tests'])), ...listAt(['tests'])].map((path) => [...path, 'command']),
  ];
  return paths.flatMap((path) => {
    const node = nodeAt(tree, path);
    return node?.kind === 'value' && typeof node.value === 'string' ? [{ path, text: node.value }] : [];
  });
}

/** Text that may be anything would become shell: only parameters whose values are limited can stand in a script. */
function checkScripts({ head, tree }: Role, problems: PlacedProblem[]): void {
  for (const { path, text } of scriptsOf(tree)) {
    for (const name of new Set(references(text))) {
      const parameter = head.parameters[name];
      if (parameter === undefined || parameter.type === 'number' || parameter.type === 'boolean') continue;
      if (parameter.values !== undefined || parameter.pattern !== undefined) continue;
      problems.push({
        path: pathText(path),
        message: `{{ ${name} }} can be any text, which must not become part of a script`,
        hint: `Give the parameter ${name} a pattern, or write it into a file (\`files\`) that the script reads.`,
        place: placeAt(tree, path),
      });
    }
  }
}

import * as z from 'zod/v4/core';
import { nearest } from '../base/errors.ts';
import { keyPlaceAt, nodeAt, pathText, placeAt, plainOf, type Node, type PlacedProblem } from './source.ts';
import { STEP_SCHEMAS } from './step-schema.ts';
import { TEST_SCHEMAS } from './test-schema.ts';

/** Lists whose items are of several kinds, told apart by a key that only one kind has. */
const KINDS: Readonly<Record<string, { readonly one: string; readonly keys: readonly string[] }>> = {
  steps: { one: 'step', keys: Object.keys(STEP_SCHEMAS) },
  tests: { one: 'test', keys: Object.keys(TEST_SCHEMAS) },
};

type Path = readonly PropertyKey[];

/**
 * What a schema has against a value, in the words of those who wrote it, each at its own place. `base` is where the value lies in the tree
 * that `root` is.
 */
export function schemaProblems(issues: readonly z.$ZodIssue[], schema: z.$ZodType | undefined, root: Node, base: Path = []): PlacedProblem[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      const at = schemaAt(schema, issue.path);
      return incompleteProblems(at, path, root) ?? issue.keys.map((key) => strangeKey(key, path, at, root));
    }
    if (issue.code === 'invalid_union') return unionProblems(issue, schemaAt(schema, issue.path), path, root);
    if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
      return [{ path: pathText(path), message: ruleMessage(issue.issues[0]?.message) ?? 'cannot be a key here', place: keyPlaceAt(root, path) }];
    }
    return [
      {
        path: pathText(path),
        ...explain(issue, nodeAt(root, path), schemaAt(schema, issue.path)),
        place: isMissing(issue, root, path) ? keyPlaceAt(root, path.slice(0, -1)) : placeAt(root, path),
      },
    ];
  });
}

function isMissing(issue: z.$ZodIssue, root: Node, path: Path): boolean {
  return issue.code === 'invalid_type' && nodeAt(root, path) === undefined;
}

/** Where a map of one of several kinds has keys of one kind alone: what is wrong with it as that kind, rather than as the one that the schema took it for. */
function incompleteProblems(schema: z.$ZodType | undefined, path: Path, root: Node): PlacedProblem[] | undefined {
  const node = nodeAt(root, path);
  if (!(schema instanceof z.$ZodUnion) || kindsAt(path) !== undefined || node?.kind !== 'map') return undefined;
  const option = schema._zod.def.options.map(unwrap).find((each) => [...node.entries.keys()].every((key) => knownKeys(each).includes(key)));
  const error = option === undefined ? undefined : z.safeParse(option, plainOf(node)).error;
  return error === undefined ? undefined : schemaProblems(error.issues, option, root, path);
}

/** A key that is not known: mistyped, or of another kind of step. */
function strangeKey(key: string, path: Path, schema: z.$ZodType | undefined, root: Node): PlacedProblem {
  const options = schema instanceof z.$ZodUnion ? schema._zod.def.options : [];
  const { one = '', keys = [] } = kindsAt(path) ?? {};
  const kind = kindOf(nodeAt(root, path), keys);
  if (kind === undefined) return unknownKey(key, path, options.length > 0 ? [...new Set(options.flatMap(knownKeys))] : knownKeys(schema), root);
  if (!keys.includes(key)) return unknownKey(key, path, knownKeys(options[keys.indexOf(kind)]), root);
  return {
    path: pathText([...path, key]),
    message: `is another kind of ${one}: each ${one} is either ${kind} or ${key}`,
    place: keyPlaceAt(root, [...path, key]),
  };
}

function kindsAt(path: Path): (typeof KINDS)[string] | undefined {
  return typeof path.at(-1) === 'number' ? KINDS[String(path.at(-2))] : undefined;
}

/** The first key that says of what kind a step or test is. */
function kindOf(node: Node | undefined, keys: readonly string[]): string | undefined {
  return node?.kind === 'map' ? [...node.entries.keys()].find((key) => keys.includes(key)) : undefined;
}

function unknownKey(key: string, path: Path, known: readonly string[], root: Node): PlacedProblem {
  const guesses = nearest(key, known);
  const hint = guesses.length > 0 ? `Did you mean ${guesses.join(' or ')}?` : known.length > 0 ? `Known here: ${known.join(', ')}.` : undefined;
  return { path: pathText([...path, key]), message: 'is unknown', ...(hint === undefined ? {} : { hint }), place: keyPlaceAt(root, [...path, key]) };
}

/** Of the ways in which a value could have been right, the one that was meant. */
function unionProblems(issue: z.$ZodIssueInvalidUnion, schema: z.$ZodType | undefined, path: Path, root: Node): PlacedProblem[] {
  const options = schema instanceof z.$ZodUnion ? schema._zod.def.options : [];
  const node = nodeAt(root, path);
  const kinds = kindsAt(path);
  if (kinds !== undefined) return kindProblems(issue, schema, kinds, path, root);
  const branches = issue.errors.map((errors, i) => ({ errors, option: unwrap(options[i]) }));
  const fitting = branches.filter(({ errors }) => !errors.some((error) => error.code === 'invalid_type' && error.path.length === 0));
  const [only] = fitting;
  if (only === undefined) {
    return [
      {
        path: pathText(path),
        message: `must be ${listed([...new Set(branches.map(({ option }) => typeWords(option)))])}, not ${wordsFor(node)}`,
        place: placeAt(root, path),
      },
    ];
  }
  if (fitting.length === 1 || node?.kind !== 'map') return schemaProblems(only.errors, only.option, root, path);
  // Several maps: unknown is what none of them knows; else it is the one of which most is there.
  const known = [...new Set(fitting.flatMap(({ option }) => knownKeys(option)))];
  const strange = [...node.entries.keys()].filter((key) => !known.includes(key));
  if (strange.length > 0) return strange.map((key) => unknownKey(key, path, known, root));
  const present = fitting.toSorted((a, b) => a.errors.length - b.errors.length)[0] ?? only;
  return schemaProblems(present.errors, present.option, root, path);
}

/** A step or a test: the key that says its kind decides what else it may hold. */
function kindProblems(
  issue: z.$ZodIssueInvalidUnion,
  schema: z.$ZodType | undefined,
  { one, keys }: { readonly one: string; readonly keys: readonly string[] },
  path: Path,
  root: Node,
): PlacedProblem[] {
  const options = schema instanceof z.$ZodUnion ? schema._zod.def.options : [];
  const node = nodeAt(root, path);
  const kinds = `The kinds are ${keys.join(', ')}.`;
  if (node?.kind !== 'map')
    return [{ path: pathText(path), message: `must be a ${one} such as \`${keys[0]}: …\`, not ${wordsFor(node)}`, hint: kinds, place: placeAt(root, path) }];
  const kind = kindOf(node, keys);
  if (kind === undefined) {
    const meant = [...node.entries.keys()].find((key) => nearest(key, keys).length > 0);
    if (meant !== undefined) return [unknownKey(meant, path, keys, root)];
    return [{ path: pathText(path), message: `is no kind of ${one}`, hint: kinds, place: placeAt(root, path) }];
  }
  const index = keys.indexOf(kind);
  return (issue.errors[index] ?? []).flatMap((error) =>
    error.code === 'unrecognized_keys' && error.path.length === 0
      ? error.keys.map((key) => strangeKey(key, path, schema, root))
      : schemaProblems([error], options[index], root, path),
  );
}

function explain(issue: z.$ZodIssue, node: Node | undefined, schema: z.$ZodType | undefined): { readonly message: string; readonly hint?: string } {
  const rule = ruleMessage(issue.message);
  switch (issue.code) {
    case 'invalid_type': {
      if (node === undefined) return { message: 'is missing' };
      const wanted = TYPES[issue.expected] ?? issue.expected;
      const example = exampleOf(schema);
      const quoted =
        issue.expected === 'string' && node.kind === 'value' && node.value !== null
          ? `Put it into quotes: "${node.written ?? String(node.value)}".`
          : undefined;
      const hint = example === undefined ? quoted : `For example ${example}.`;
      return { message: `must be ${wanted}, not ${wordsFor(node)}`, ...(hint === undefined ? {} : { hint }) };
    }
    case 'invalid_value': {
      const choices = issue.values.map(String);
      const given = node === undefined ? '' : String(plainOf(node));
      const guesses = nearest(given, choices);
      return { message: `must be ${listed(choices)}`, ...(guesses.length > 0 ? { hint: `Did you mean ${guesses.join(' or ')}?` } : {}) };
    }
    case 'too_small':
      return {
        message:
          rule ??
          (Number(issue.minimum) <= 1 && issue.origin !== 'number' && issue.origin !== 'int' ? 'must not be empty' : `must be at least ${issue.minimum}`),
      };
    case 'too_big':
      return { message: rule ?? `must be at most ${issue.maximum}` };
    case 'invalid_format':
      return { message: rule ?? (issue.format === 'url' ? 'must be an address that starts with http:// or https://' : `must be ${issue.format}`) };
    default:
      return { message: rule ?? 'is not accepted' };
  }
}

/** A sentence of a schema of ours; zod's own begin otherwise. */
function ruleMessage(message: string | undefined): string | undefined {
  return message === undefined || /^(Invalid|Too|Unrecognized)\b/.test(message) ? undefined : message;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map (`key: value`)',
  record: 'a map (`key: value`)',
};

function wordsFor(node: Node | undefined): string {
  if (node === undefined) return 'missing';
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  const { value } = node;
  if (value === null) return 'empty';
  return typeof value === 'string' ? 'text' : typeof value === 'number' ? (Number.isInteger(value) ? 'a number' : 'a number with a fraction') : String(value);
}

function typeWords(schema: z.$ZodType | undefined): string {
  if (schema instanceof z.$ZodString) return 'text';
  if (schema instanceof z.$ZodNumber) return 'a number';
  if (schema instanceof z.$ZodBoolean) return 'true or false';
  if (schema instanceof z.$ZodArray) return 'a list';
  if (schema instanceof z.$ZodObject) return `a map with ${listed(Object.keys(schema._zod.def.shape))}`;
  if (schema instanceof z.$ZodUnion) return listed([...new Set(schema._zod.def.options.map((option) => typeWords(unwrap(option))))]);
  return 'a map';
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}

function exampleOf(schema: z.$ZodType | undefined): string | undefined {
  const examples: unknown = schema === undefined ? undefined : z.globalRegistry.get(schema)?.examples;
  return Array.isArray(examples) && examples.length > 0 ? String(examples[0]) : undefined;
}

function knownKeys(schema: z.$ZodType | undefined): string[] {
  const inner = unwrap(schema);
  return inner instanceof z.$ZodObject ? Object.keys(inner._zod.def.shape) : [];
}

/** The schema of a part of a value; undefined where a union makes that ambiguous. */
function schemaAt(schema: z.$ZodType | undefined, path: Path): z.$ZodType | undefined {
  let at: z.$ZodType | undefined = unwrap(schema);
  for (const part of path) {
    if (at instanceof z.$ZodObject) at = unwrap(at._zod.def.shape[String(part)]);
    else if (at instanceof z.$ZodArray) at = unwrap(at._zod.def.element);
    else if (at instanceof z.$ZodRecord) at = unwrap(at._zod.def.valueType);
    else return undefined;
  }
  return at;
}

function unwrap(schema: z.$ZodType | undefined): z.$ZodType | undefined {
  let inner = schema;
  while (inner instanceof z.$ZodOptional || inner instanceof z.$ZodDefault || inner instanceof z.$ZodReadonly || inner instanceof z.$ZodNullable)
    inner = inner._zod.def.innerType;
  return inner;
}

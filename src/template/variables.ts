import { nearest } from '../base/errors.ts';
import { schemaProblems } from './problems.ts';
import { keyPlaceAt, placeAt, plainOf, type Node, type PlacedProblem, type Scalar, type ValueNode } from './source.ts';
import { variableSchema, type VariableValue } from './variables-schema.ts';

/** What sets variables, besides their defaults. */
export interface VariableInput {
  /** By name, as text: what `--var name=value` gave. */
  readonly given: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type VariableType = 'string' | 'number' | 'boolean' | 'list';

interface Declaration {
  readonly type: VariableType;
  readonly default?: VariableValue | undefined;
  readonly values?: readonly VariableValue[] | undefined;
  readonly pattern?: string | undefined;
}

/** The environment variable that sets a variable: `INGOT_VAR_HTTP_PORT` sets `http-port`. */
export function variableInEnvironment(name: string): string {
  return `INGOT_VAR_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** The value of each variable that the template declares; everything that is wrong with them is added to the problems. */
export function variableValues(root: Node, input: VariableInput, problems: PlacedProblem[]): Map<string, VariableValue | undefined> {
  const values = new Map<string, VariableValue | undefined>();
  const section = root.kind === 'map' ? root.entries.get('variables')?.value : undefined;
  const entries = section?.kind === 'map' ? [...section.entries] : [];
  for (const name of Object.keys(input.given).filter((given) => !entries.some(([declared]) => declared === given))) {
    problems.push({
      message: `--var sets ${name}, which the template does not declare`,
      ...didYouMean(
        name,
        entries.map(([declared]) => declared),
      ),
      place: section?.place ?? root.place,
      // The line is not what is wrong.
      confidential: true,
    });
  }
  for (const [name, { value: node }] of entries) {
    values.set(name, undefined);
    const path = ['variables', name];
    const problem = (message: string, hint?: string): void => {
      problems.push({ path: path.join('.'), message, ...(hint === undefined ? {} : { hint }), place: keyPlaceAt(root, path) });
    };
    const declaration = declarationOf(root, node, path, problems);
    if (declaration === undefined) continue;
    const [text, origin] = textFor(name, input);
    const value = text === undefined ? declaration.default : fromText(text, declaration.type);
    if (value === undefined) {
      if (text === undefined) problem('is not set and has no default', `Set it with --var ${name}=… or ${variableInEnvironment(name)}.`);
      else problem(`${origin} sets it to something that is not ${TYPE_WORDS[declaration.type]}`);
      continue;
    }
    const refused = refusal(value, declaration);
    if (refused !== undefined) problem(`${origin} ${refused}`);
    else values.set(name, value);
  }
  return values;
}

/** A type in the words of a sentence. */
export const TYPE_WORDS: Readonly<Record<VariableType, string>> = { string: 'text', number: 'a number', boolean: 'true or false', list: 'a list' };

function textFor(name: string, { given, env }: VariableInput): [string | undefined, string] {
  const text = Object.hasOwn(given, name) ? given[name] : undefined;
  if (text !== undefined) return [text, `--var ${name}`];
  const inEnvironment = env[variableInEnvironment(name)];
  return inEnvironment === undefined ? [undefined, 'the default'] : [inEnvironment, variableInEnvironment(name)];
}

function declarationOf(root: Node, node: Node, path: readonly string[], problems: PlacedProblem[]): Declaration | undefined {
  const parsed = variableSchema.safeParse(plainOf(node), { jitless: true });
  if (!parsed.success) {
    problems.push(...schemaProblems(parsed.error.issues, variableSchema, root, path));
    return undefined;
  }
  const { data } = parsed;
  if (typeof data !== 'object' || Array.isArray(data)) return { type: typeOf(data), default: data };
  if (data.default !== undefined && typeOf(data.default) !== data.type) {
    problems.push({
      path: [...path, 'default'].join('.'),
      message: `must be ${TYPE_WORDS[data.type]}, as its type says`,
      place: placeAt(root, [...path, 'default']),
    });
    return undefined;
  }
  if (data.pattern !== undefined && !isPattern(data.pattern)) {
    problems.push({ path: [...path, 'pattern'].join('.'), message: 'must be a regular expression', place: placeAt(root, [...path, 'pattern']) });
    return undefined;
  }
  return data;
}

/** The type that a value has. */
export function typeOf(value: VariableValue): VariableType {
  if (Array.isArray(value)) return 'list';
  return typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string';
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/** The value that a text of the command line or the environment means; undefined where it is none of that type. */
export function fromText(text: string, type: VariableType): VariableValue | undefined {
  if (type === 'string') return text;
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  if (type === 'number') return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : undefined;
  return text.trim() === '' ? [] : text.split(',').map((item) => item.trim());
}

/** Why a value of the right type may not be; undefined where it may. */
export function refusal(value: VariableValue, { values, pattern }: Pick<Declaration, 'values' | 'pattern'>): string | undefined {
  const items = Array.isArray(value) ? value : [value];
  const strange = values === undefined ? undefined : items.find((item) => !values.includes(item));
  if (values !== undefined && strange !== undefined)
    return values.length > MANY_VALUES ? notOneOfMany(strange, values) : `is none of ${values.map(String).join(', ')}`;
  if (pattern !== undefined && items.some((item) => !new RegExp(`^(?:${pattern})$`, 'u').test(String(item)))) return `does not match ${pattern}`;
  return undefined;
}

/** More values than these are not listed where one is wrong. */
const MANY_VALUES = 12;

function notOneOfMany(strange: unknown, values: readonly VariableValue[]): string {
  const near = nearest(String(strange), values.map(String));
  return `cannot be ${JSON.stringify(strange)}${near.length > 0 ? ` (the nearest is ${near.join(' or ')})` : ''}`;
}

/** A reference to a variable, or, after a backslash, what only looks like one. */
const REFERENCE = /(\\?)\{\{[ \t]*([A-Za-z][A-Za-z0-9_-]*)[ \t]*\}\}/g;
const WHOLE = /^\{\{[ \t]*([A-Za-z][A-Za-z0-9_-]*)[ \t]*\}\}$/;

/** What is filled in, in the words of messages. */
const VARIABLE = { one: 'variable', whole: 'template' };

/** The tree with its variables filled in; parts without any are the same object as before. The declarations stay as they are. */
export function fillIn(root: Node, values: ReadonlyMap<string, VariableValue | undefined>, problems: PlacedProblem[], words = VARIABLE): Node {
  if (root.kind !== 'map') return root;
  return new Filler(values, problems, words).map(root, (key) => key !== 'variables');
}

/** A text that means this one: what looks like a reference in it, escaped or not, is escaped once more. */
export function escapeReferences(text: string): string {
  return text.replace(REFERENCE, (reference) => `\\${reference}`);
}

/** Names of the variables that a text refers to. */
export function references(text: string): string[] {
  return [...text.matchAll(REFERENCE)].flatMap(([, escape, name]) => (escape === '' && name !== undefined ? [name] : []));
}

class Filler {
  readonly #values: ReadonlyMap<string, VariableValue | undefined>;
  readonly #problems: PlacedProblem[];
  readonly #words: typeof VARIABLE;

  constructor(values: ReadonlyMap<string, VariableValue | undefined>, problems: PlacedProblem[], words: typeof VARIABLE) {
    this.#values = values;
    this.#problems = problems;
    this.#words = words;
  }

  map(node: Node & { kind: 'map' }, wanted: (key: string) => boolean = () => true): Node {
    let changed = false;
    const entries = new Map(node.entries);
    for (const [key, entry] of node.entries) {
      if (!wanted(key)) continue;
      const value = this.#fill(entry.value);
      if (value === entry.value) continue;
      changed = true;
      entries.set(key, { key: entry.key, value });
    }
    return changed ? { ...node, entries } : node;
  }

  #fill(node: Node): Node {
    if (node.kind === 'map') return this.map(node);
    if (node.kind === 'value') return typeof node.value === 'string' && node.value.includes('{{') ? this.#text(node, node.value) : node;
    const items = node.items.flatMap((item) => this.#item(item));
    return items.length === node.items.length && items.every((item, i) => item === node.items[i]) ? node : { ...node, items };
  }

  /** A list that stands for an item of a list becomes its items. */
  #item(node: Node): readonly Node[] {
    const filled = this.#fill(node);
    return filled.kind === 'list' && node.kind === 'value' ? filled.items : [filled];
  }

  #text(node: ValueNode, text: string): Node {
    const { place } = node;
    const whole = WHOLE.exec(text)?.[1];
    if (whole !== undefined) {
      const value = this.#value(whole, node);
      if (value === undefined) return node;
      if (Array.isArray(value)) return { kind: 'list', place, items: value.map((item): ValueNode => ({ kind: 'value', place, value: item })) };
      return { kind: 'value', place, value: value satisfies Scalar, ...(typeof value === 'string' ? {} : { text: String(value) }) };
    }
    const filled = text.replace(REFERENCE, (reference: string, escape: string, name: string) => {
      if (escape !== '') return reference.slice(1);
      const value = this.#value(name, node);
      if (Array.isArray(value)) this.#problems.push({ message: `${name} is a list, which cannot stand in a text`, place });
      return value === undefined ? reference : String(value);
    });
    return filled === text ? node : { kind: 'value', place, value: filled };
  }

  #value(name: string, { place }: ValueNode): VariableValue | undefined {
    if (!this.#values.has(name)) {
      const hint = didYouMean(name, this.#values.keys()).hint;
      const { one, whole } = this.#words;
      const escape = `If it is no ${one} of the ${whole}, write \\{{ ${name} }}.`;
      this.#problems.push({
        message: `{{ ${name} }} is a ${one} that the ${whole} does not declare`,
        hint: hint === undefined ? escape : `${hint} ${escape}`,
        place,
      });
    }
    return this.#values.get(name);
  }
}

function didYouMean(name: string, known: Iterable<string>): { readonly hint?: string } {
  const all = [...known];
  const guesses = nearest(name, all);
  if (guesses.length > 0) return { hint: `Did you mean ${guesses.join(' or ')}?` };
  return all.length === 0 ? {} : { hint: `Declared: ${all.join(', ')}.` };
}

import type { Body, Expression, Place } from './syntax.ts';

export type Value = string | number | boolean | null | readonly Value[] | { readonly [name: string]: Value };

/** An expression of which the value is not known here, and why. */
export interface Unknown {
  readonly place: Place;
  /** The end of a sentence that begins with what is wanted. */
  readonly reason: string;
}

export type Evaluated = { readonly value: Value } | { readonly unknown: Unknown };

/** What names stand for: `var.cpus` -> a value, or why there is none. */
export type Names = (path: readonly string[]) => { readonly value: Value } | { readonly reason: string };

const FUNCTIONS: Readonly<Record<string, (values: readonly Value[]) => Value | undefined>> = {
  join: ([sign, list]) => (typeof sign === 'string' && isList(list) ? list.map(textOf).join(sign) : undefined),
  concat: (lists) => lists.flatMap((list) => (isList(list) ? list : [list])),
  lower: ([text]) => (typeof text === 'string' ? text.toLowerCase() : undefined),
  upper: ([text]) => (typeof text === 'string' ? text.toUpperCase() : undefined),
  trimspace: ([text]) => (typeof text === 'string' ? text.trim() : undefined),
  replace: ([text, from, to]) =>
    typeof text === 'string' && typeof from === 'string' && typeof to === 'string' && !from.startsWith('/') ? text.replaceAll(from, () => to) : undefined,
  coalesce: (values) => values.find((value) => value !== null && value !== ''),
};

/** The value of an expression, as far as it can be known without running Packer. Pure. */
export function evaluate(expression: Expression, names: Names): Evaluated {
  const unknown = (reason: string): Evaluated => ({ unknown: { place: expression.place, reason } });
  switch (expression.kind) {
    case 'literal':
      return { value: expression.value };
    case 'template': {
      const parts = all(
        expression.parts.map((part) => (typeof part === 'string' ? { value: part } : evaluate(part, names))),
        (values) => values.map(textOf).join(''),
      );
      return parts;
    }
    case 'list':
      return all(
        expression.items.map((item) => evaluate(item, names)),
        (values) => values,
      );
    case 'object':
      return all(
        expression.entries.map((entry) => evaluate(entry.value, names)),
        (values) => Object.fromEntries(expression.entries.map(({ name }, i) => [name, values[i] ?? null])),
      );
    case 'reference': {
      const found = names(expression.path);
      return 'value' in found ? found : unknown(found.reason);
    }
    case 'call': {
      const evaluated = expression.arguments.map((argument) => evaluate(argument, names));
      const known = all(evaluated, (values) => values);
      if ('unknown' in known) return known;
      const value = FUNCTIONS[expression.name]?.(isList(known.value) ? known.value : []);
      return value === undefined ? unknown(`is made by the function ${expression.name}, which is Packer's to run`) : { value };
    }
    case 'other':
      return unknown(
        `is computed (${expression.text.length > 60 ? `${expression.text.slice(0, 57)}...` : expression.text}), and ingot's templates compute nothing`,
      );
  }
}

function all(values: readonly Evaluated[], join: (values: readonly Value[]) => Value): Evaluated {
  const known: Value[] = [];
  for (const each of values) {
    if ('unknown' in each) return each;
    known.push(each.value);
  }
  return { value: join(known) };
}

/** Whether a value is a list, or what Packer calls a tuple. */
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Whether a value is a map, or what Packer calls an object. */
export function isMap(value: Value | undefined): value is { readonly [name: string]: Value } {
  return typeof value === 'object' && value !== null && !isList(value);
}

/** A value as text, as a template shows it. */
export function textOf(value: Value): string {
  return typeof value === 'string' ? value : value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** All places in an expression where names of variables and the like stand. */
export function referencesOf(expression: Expression): readonly (readonly string[])[] {
  switch (expression.kind) {
    case 'reference':
      return [expression.path];
    case 'template':
      return expression.parts.flatMap((part) => (typeof part === 'string' ? [] : referencesOf(part)));
    case 'list':
      return expression.items.flatMap(referencesOf);
    case 'object':
      return expression.entries.flatMap(({ value }) => referencesOf(value));
    case 'call':
      return expression.arguments.flatMap(referencesOf);
    default:
      return [];
  }
}

/** An argument's expression. */
export function argumentOf(body: Body, name: string): Expression | undefined {
  return body.arguments.get(name)?.value;
}

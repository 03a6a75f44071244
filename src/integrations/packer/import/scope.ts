import { evaluate, isList, textOf, type Evaluated, type Names, type Value } from '../hcl/evaluate.ts';
import type { Expression, Place } from '../hcl/syntax.ts';
import type { Note, PackerTemplate, Part } from './packer-template.ts';

/** A template while it becomes one of ingot's: what its names stand for, and what did not carry over. */
export class ImportScope {
  readonly template: PackerTemplate;
  readonly notes: Note[] = [];
  readonly #given: Readonly<Record<string, string>>;
  readonly #open = new Set<string>();
  readonly #asked = new Set<string>();

  /** `given`: values of variables that the user has said. */
  constructor(template: PackerTemplate, given: Readonly<Record<string, string>>) {
    this.template = template;
    this.#given = given;
  }

  note(file: string, place: Place, message: string): void {
    this.notes.push({ file, place, message });
  }

  readonly names: Names = (path) => {
    const [kind, name = '', ...rest] = path;
    if (kind === 'path' && (name === 'root' || name === 'cwd')) return { value: '.' };
    const found =
      kind === 'var' ? this.#variable(name) : kind === 'local' ? this.#local(name) : { reason: `is known only while Packer builds (${path.join('.')})` };
    if ('reason' in found) return found;
    return rest.reduce<{ value: Value } | { reason: string }>((at, key) => {
      if ('reason' in at) return at;
      const inner = isList(at.value)
        ? at.value[Number(key)]
        : typeof at.value === 'object' && at.value !== null && Object.hasOwn(at.value, key)
          ? Object.entries(at.value).find(([each]) => each === key)?.[1]
          : undefined;
      return inner === undefined ? { reason: `names ${path.join('.')}, which is not there` } : { value: inner };
    }, found);
  };

  /** Names of values that the user has said, of which the template knows nothing. */
  get strange(): string[] {
    return Object.keys(this.#given).filter((name) => !this.template.variables.has(name) && !this.#asked.has(name));
  }

  #variable(name: string): { readonly value: Value } | { readonly reason: string } {
    this.#asked.add(name);
    const given = this.#given[name];
    if (given !== undefined && Object.hasOwn(this.#given, name)) return { value: given };
    const declared = this.template.variables.get(name);
    if (declared === undefined) return { reason: `uses the variable ${name}, which is not declared` };
    if (declared.value === undefined) return { reason: `uses the variable ${name}, which has no default (give one with --var ${name}=…)` };
    return this.#resolved(`var.${name}`, declared.value);
  }

  #local(name: string): { readonly value: Value } | { readonly reason: string } {
    const value = this.template.locals.get(name);
    return value === undefined ? { reason: `uses local.${name}, which is not there` } : this.#resolved(`local.${name}`, value);
  }

  #resolved(name: string, value: Expression): { readonly value: Value } | { readonly reason: string } {
    if (this.#open.has(name)) return { reason: `uses ${name}, which is made of itself` };
    this.#open.add(name);
    const found = evaluate(value, this.names);
    this.#open.delete(name);
    return 'unknown' in found ? { reason: `uses ${name}, which ${found.unknown.reason}` } : found;
  }

  evaluate(expression: Expression): Evaluated {
    return evaluate(expression, this.names);
  }

  /** The value of an argument; undefined where it is not there, or is not known, which then is noted. */
  value(part: Pick<Part, 'file' | 'body'>, name: string): Value | undefined {
    const found = part.body.arguments.get(name);
    if (found === undefined) return undefined;
    const evaluated = this.evaluate(found.value);
    if ('value' in evaluated) return evaluated.value ?? undefined;
    this.note(part.file, evaluated.unknown.place, `${name} ${evaluated.unknown.reason}`);
    return undefined;
  }

  text(part: Pick<Part, 'file' | 'body'>, name: string): string | undefined {
    const value = this.value(part, name);
    return value === undefined ? undefined : textOf(value);
  }

  /** The texts of a list, or of one text. */
  texts(part: Pick<Part, 'file' | 'body'>, name: string): string[] {
    const value = this.value(part, name);
    return value === undefined ? [] : isList(value) ? value.map(textOf) : [textOf(value)];
  }

  place(part: Part, name: string): Place {
    return part.body.arguments.get(name)?.place ?? part.place;
  }

  /** Says of each argument of a part that it did not carry over, unless it is known. */
  rest(part: Part, known: readonly string[]): void {
    for (const { name, place } of part.body.arguments.values()) {
      if (!known.includes(name)) this.note(part.file, place, `${name} of ${part.type} has no counterpart`);
    }
    for (const { type, place } of part.body.blocks) {
      if (!known.includes(type)) this.note(part.file, place, `the block ${type} of ${part.type} has no counterpart`);
    }
  }
}

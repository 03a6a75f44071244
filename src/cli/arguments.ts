import { resolve } from 'node:path';
import * as z from 'zod/v4/core';
import { IngotError, nearest, type Problem } from '../base/errors.ts';
import { splitGuestPath } from '../operations/client-file.ts';
import { fieldsOf, type Field } from '../operations/fields.ts';
import type { Operation } from '../operations/operation.ts';

/**
 * Reads the words after a command into the operation's input, checked by its schema. Paths of client files become
 * absolute. Throws `arguments-invalid` with all problems at once.
 */
export function parseArguments<Input extends z.$ZodObject>(
  operation: Pick<Operation<Input>, 'name' | 'input'>,
  words: readonly string[],
  cwd: string,
): z.output<Input> {
  const fields = fieldsOf(operation);
  const reader = new Reader(fields);
  reader.read(words);
  const values: Record<string, unknown> = {};
  for (const field of fields) {
    const given = reader.given.get(field.key);
    if (given === undefined) continue;
    const converted = given.map((text) => convert(field, text, cwd));
    values[field.key] = field.many ? converted : converted[0];
  }
  const parsed = z.safeParse(operation.input, values, { jitless: true }); // parsed once: compiling it would cost more
  const problems = [...reader.problems];
  if (!parsed.success) problems.push(...schemaProblems(parsed.error.issues, fields, reader));
  if (parsed.success && problems.length === 0) return parsed.data;
  const [first] = problems;
  const single = problems.length === 1 && first !== undefined;
  throw new IngotError('usage', 'arguments-invalid', single ? sentence(first) : `ingot ${operation.name} was called with ${problems.length} mistakes`, {
    hint: `${single && first.hint !== undefined ? `${first.hint} ` : ''}ingot ${operation.name} --help shows how it is called.`,
    ...(single ? {} : { problems }),
  });
}

function sentence(problem: Problem): string {
  const text = problem.path === undefined ? problem.message : `${problem.path}: ${problem.message}`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Sorts words into fields, by the names of the flags alone; values stay text (`true` and `false` of switches too). */
class Reader {
  readonly given = new Map<string, string[]>();
  readonly problems: Problem[] = [];
  /** Keys that have a problem already, so that the schema need not say it again. */
  readonly faulty = new Set<string>();
  readonly #fields: readonly Field[];
  readonly #positionals: readonly Field[];

  constructor(fields: readonly Field[]) {
    this.#fields = fields;
    this.#positionals = fields.filter((field) => field.positional);
  }

  read(words: readonly string[]): void {
    const queue = [...words];
    for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
      if (word === '--') {
        for (const text of queue.splice(0)) this.#positional(text);
      } else if (word.startsWith('--')) {
        this.#long(word, queue);
      } else if (/^-[a-zA-Z]/.test(word)) {
        this.#cluster(word, queue);
      } else {
        this.#positional(word);
      }
    }
  }

  #positional(text: string): void {
    const field = this.#positionals.find((candidate) => candidate.many || !this.given.has(candidate.key));
    if (field === undefined) {
      this.problems.push({ message: this.#positionals.at(-1)?.nothingAfter ?? `"${text}" is one argument too many` });
      return;
    }
    this.#add(field, text);
  }

  #long(word: string, queue: string[]): void {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals === -1 ? undefined : equals);
    const attached = equals === -1 ? undefined : word.slice(equals + 1);
    const field = this.#fields.find((candidate) => candidate.flag === name);
    if (field !== undefined) {
      this.#value(field, `--${name}`, attached, queue);
      return;
    }
    const negated = name.startsWith('no-') ? this.#fields.find((candidate) => candidate.flag === name.slice(3)) : undefined;
    const off = negated?.off;
    if (negated !== undefined && off !== undefined && attached === undefined) {
      this.#add(negated, off);
      return;
    }
    this.#unknown(`--${name}`, name);
  }

  /** `-x`, `-x value`, `-xvalue`, or several switches in one word. */
  #cluster(word: string, queue: string[]): void {
    for (let index = 1; index < word.length; index += 1) {
      const letter = word.charAt(index);
      const field = this.#fields.find((candidate) => candidate.short === letter);
      if (field === undefined) {
        this.#unknown(`-${letter}`, letter);
        return;
      }
      const following = word.slice(index + 1);
      if (field.kind !== 'boolean') {
        this.#value(field, `-${letter}`, following === '' ? undefined : following.replace(/^=/, ''), queue);
        return;
      }
      this.#add(field, 'true');
    }
  }

  #value(field: Field, shown: string, attached: string | undefined, queue: string[]): void {
    if (field.kind === 'boolean') {
      if (attached === undefined || attached === 'true' || attached === 'false') this.#add(field, attached ?? 'true');
      else this.#fault(field, { path: shown, message: `takes no value but true or false, not "${attached}"` });
      return;
    }
    if (attached !== undefined) {
      this.#add(field, attached);
      return;
    }
    const next = queue[0];
    if (next === undefined || (/^-./.test(next) && !/^-[\d.]/.test(next))) {
      const hint = next === undefined ? {} : { hint: `A value that starts with a dash is written ${shown}=${next}.` };
      this.#fault(field, { path: shown, message: `needs a value (${field.placeholder})`, ...hint });
      return;
    }
    queue.shift();
    this.#add(field, next);
  }

  #add(field: Field, text: string): void {
    const values = this.given.get(field.key);
    if (values === undefined) this.given.set(field.key, [text]);
    else if (field.many) values.push(text);
    else this.#fault(field, { path: shownName(field), message: 'is given more than once' });
  }

  #fault(field: Field, problem: Problem): void {
    this.faulty.add(field.key);
    this.problems.push(problem);
  }

  #unknown(shown: string, name: string): void {
    const names = this.#fields.flatMap((field) => (field.off === undefined ? [field.flag] : [field.flag, `no-${field.flag}`]));
    const guesses = nearest(name, [...names, 'json', 'yes', 'verbose', 'quiet', 'help']).map((guess) => `--${guess}`);
    const rest = this.#positionals.some((field) => field.many) ? 'What belongs to the command to run comes after --.' : undefined;
    const hint = guesses.length > 0 ? `Did you mean ${guesses.join(' or ')}?` : rest;
    this.problems.push({ message: `there is no flag ${shown}`, ...(hint === undefined ? {} : { hint }) });
  }
}

/** How a field is named in messages: `--size`, or `NAME` where it is positional. */
export function shownName(field: Field): string {
  return field.positional ? field.placeholder : `--${field.flag}`;
}

function convert(field: Field, text: string, cwd: string): unknown {
  if (field.kind === 'boolean') return text === 'true';
  if (field.kind === 'number' && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (field.orGuestPath && splitGuestPath(text) !== undefined) return text;
  return field.clientFile && text !== '' ? resolve(cwd, text) : text;
}

function schemaProblems(issues: readonly z.$ZodIssue[], fields: readonly Field[], reader: Reader): Problem[] {
  const problems: Problem[] = [];
  for (const issue of issues) {
    const field = fields.find(({ key }) => key === issue.path[0]);
    if (field === undefined) {
      problems.push({ message: issue.message });
      continue;
    }
    if (reader.faulty.has(field.key)) continue;
    const given = reader.given.get(field.key);
    if (given === undefined && issue.code === 'invalid_type') {
      problems.push({ path: shownName(field), message: `is missing${field.description === '' ? '' : ` (${field.description})`}` });
      continue;
    }
    problems.push({ path: shownName(field), ...describeIssue(issue, field, textAt(issue, given)) });
  }
  return problems;
}

function textAt(issue: z.$ZodIssue, given: readonly string[] | undefined): string {
  const [, index] = issue.path;
  return given?.[typeof index === 'number' ? index : 0] ?? '';
}

function describeIssue(issue: z.$ZodIssue, field: Field, text: string): Omit<Problem, 'path'> {
  if (field.kind === 'choice') {
    const guesses = nearest(text, field.choices);
    const hint = guesses.length > 0 ? { hint: `Did you mean ${guesses.join(' or ')}?` } : {};
    return { message: `"${text}" is not one of ${field.choices.join(', ')}`, ...hint };
  }
  if (field.kind === 'number' && issue.code === 'invalid_type')
    return { message: `"${text}" is not a ${issue.expected === 'int' ? 'whole number' : 'number'}` };
  return { message: `"${text}" is refused: ${issue.message}` };
}

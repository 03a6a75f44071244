import { fieldsOf, type CompletionKind, type Field } from '../operations/fields.ts';
import { GLOBAL_FLAGS } from '../operations/global-flags.ts';
import type { Operation } from '../operations/operation.ts';

/** What a word may be: one of fixed words, names asked from ingot, a file, or nothing known. */
export interface Offer {
  readonly words: readonly string[];
  readonly dynamic: CompletionKind | undefined;
}

export interface FlagCompletion {
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it; undefined for a switch. */
  readonly value: Offer | undefined;
}

/** What a shell offers after a command. */
export interface CommandCompletion {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly FlagCompletion[];
  readonly positionals: readonly (Offer & { readonly many: boolean })[];
}

/** Made from an operation's declaration. */
export function completionOf(operation: Pick<Operation, 'name' | 'summary' | 'input'>): CommandCompletion {
  const fields = fieldsOf(operation);
  return {
    name: operation.name,
    summary: operation.summary,
    flags: [
      ...fields.filter((field) => !field.positional).map(flagOf),
      ...GLOBAL_FLAGS.map(({ flag, short, description }) => ({
        names: [`--${flag}`, ...(short === undefined ? [] : [`-${short}`])],
        description,
        value: undefined,
      })),
    ],
    positionals: fields.filter((field) => field.positional).map((field) => ({ ...offerOf(field), many: field.many })),
  };
}

function flagOf(field: Field): FlagCompletion {
  const short = field.short === undefined ? [] : [`-${field.short}`];
  if (field.kind === 'boolean')
    return { names: [`--${field.default === true ? 'no-' : ''}${field.flag}`, ...short], description: field.description, value: undefined };
  return { names: [`--${field.flag}`, ...short], description: field.description, value: offerOf(field) };
}

function offerOf(field: Field): Offer {
  return { words: field.choices, dynamic: field.complete };
}

/** Groups of commands: each by the words that they begin with, and the words that may follow. */
type Groups = [string, string[]][];

/** Groups that are no command themselves (`vm`, `vm snapshot`), and those that are: `build` and `build logs`. */
export function groupsOf(commands: readonly CommandCompletion[]): { readonly pure: Groups; readonly mixed: Groups } {
  const groups = [...commandTree(commands.map(({ name }) => name))].filter(([, next]) => next.length > 0);
  const isCommand = ([words]: Groups[number]): boolean => commands.some(({ name }) => name === words);
  return { pure: groups.filter((group) => !isCommand(group)), mixed: groups.filter(isCommand) };
}

/** All words that commands begin with, and what may follow them: `vm` -> `snapshot`, `vm snapshot` -> `create`. */
export function commandTree(names: readonly string[]): Map<string, string[]> {
  const tree = new Map<string, string[]>();
  for (const name of names) {
    const words = name.split(' ');
    for (const at of words.keys()) {
      const before = words.slice(0, at + 1).join(' ');
      const next = words[at + 1];
      const known = tree.get(before) ?? [];
      tree.set(before, next === undefined || known.includes(next) ? known : [...known, next]);
    }
  }
  return tree;
}

/** The words with which a command line can begin. */
export function firstWords(tree: ReadonlyMap<string, string[]>): string[] {
  return [...tree.keys()].filter((words) => !words.includes(' '));
}

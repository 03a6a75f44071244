import { IngotError, nearest } from '../base/errors.ts';
import { globalFlag, NO_GLOBALS, type GlobalFlag, type Globals } from '../operations/global-flags.ts';

/** The first reading of the command line, which needs no declaration: which command, which global flags, the rest. */
export interface CommandLine {
  readonly globals: Globals;
  readonly version: boolean;
  /** Name of the operation, or of a group of them (`image`), or empty. */
  readonly command: string;
  /** Whether the command is an operation, and not only a group. */
  readonly complete: boolean;
  /** What follows the command, without the global flags. */
  readonly rest: readonly string[];
}

/**
 * Splits a command line. Global flags may stand anywhere before `--`. Throws `command-unknown` with the nearest names.
 */
export function readCommandLine(argv: readonly string[], commands: readonly string[]): CommandLine {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const globals: Record<GlobalFlag, boolean> = { ...NO_GLOBALS };
  const words: string[] = [];
  let version = false;
  for (const word of own) {
    const flag = globalFlag(word);
    if (flag !== undefined) globals[flag] = true;
    else if (word === '--version' && words.length === 0) version = true;
    else words.push(word);
  }
  if (words[0] === 'help') {
    words.shift();
    globals.help = true;
  }
  const rest = end === -1 ? [] : argv.slice(end);
  const { command, used } = findCommand(words, commands);
  return { globals, version, command, complete: commands.includes(command), rest: [...words.slice(used), ...rest] };
}

/** Words of the longest commands: `vm snapshot create`. */
const MOST_WORDS = 3;

/** The longest command that the first words name; a group where they name no operation. */
function findCommand(words: readonly string[], commands: readonly string[]): { command: string; used: number } {
  const [first, second] = words;
  if (first === undefined) return { command: '', used: 0 };
  const isGroup = (name: string): boolean => commands.some((command) => command.startsWith(`${name} `));
  for (let used = MOST_WORDS; used > 0; used--) {
    const name = words.slice(0, used).join(' ');
    if (used <= words.length && commands.includes(name)) return { command: name, used };
    const next = words[used];
    if (used <= words.length && isGroup(name) && (next === undefined || next.startsWith('-'))) return { command: name, used };
  }
  const inner = second !== undefined && isGroup(`${first} ${second}`) ? `${first} ${second}` : first;
  const inGroup = isGroup(first);
  if (first.startsWith('-')) {
    throw new IngotError('usage', 'flag-unknown', `There is no flag ${first} without a command`, { hint: 'ingot --help lists the commands.' });
  }
  throw unknownCommand(inGroup ? words.slice(0, inner.split(' ').length + 1).join(' ') : first, commands, inGroup);
}

function unknownCommand(name: string, commands: readonly string[], inGroup: boolean): IngotError {
  const heads = new Set(commands.map((command) => command.split(' ')[0] ?? command));
  const guesses = nearest(name, inGroup ? commands : heads);
  // `ingot list` means one of the lists: offer the commands that end with the word.
  const endings = guesses.length > 0 ? [] : commands.filter((command) => command.endsWith(` ${name}`)).slice(0, 3);
  const offers = [...guesses, ...endings].map((guess) => `ingot ${guess}`);
  const all = inGroup ? `ingot ${name.split(' ')[0]} --help` : 'ingot --help';
  return new IngotError('usage', 'command-unknown', `There is no command "ingot ${name}"`, {
    hint: offers.length > 0 ? `Did you mean ${offers.join(', or ')}?` : `${all} lists the commands.`,
  });
}

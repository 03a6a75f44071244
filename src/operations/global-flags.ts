/** Flags that every command knows; read by the CLI itself, never by an operation. */
export const GLOBAL_FLAGS = [
  { flag: 'json', short: undefined, description: 'Print the result as one JSON document' },
  { flag: 'yes', short: 'y', description: 'Agree beforehand to all that would be asked' },
  { flag: 'quiet', short: 'q', description: 'No progress, only warnings and errors' },
  { flag: 'verbose', short: 'v', description: 'Show the output of the tools as it comes' },
  { flag: 'help', short: 'h', description: 'Show help' },
] as const;

export type GlobalFlag = (typeof GLOBAL_FLAGS)[number]['flag'];

/** Which of the global flags were given. */
export type Globals = Readonly<Record<GlobalFlag, boolean>>;

/** The global flag that a word is, or undefined. */
export function globalFlag(word: string): GlobalFlag | undefined {
  return GLOBAL_FLAGS.find(({ flag, short }) => word === `--${flag}` || (short !== undefined && word === `-${short}`))?.flag;
}

export const NO_GLOBALS: Globals = { json: false, yes: false, quiet: false, verbose: false, help: false };

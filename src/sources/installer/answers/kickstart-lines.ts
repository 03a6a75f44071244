import { shellLines } from './shell-words.ts';

/** A command of a kickstart file. */
export interface KickstartCommand {
  readonly name: string;
  readonly words: readonly string[];
}

/** The commands before the first section. */
export function kickstartCommands(text: string): KickstartCommand[] {
  const [before = ''] = text.split(/^%/m);
  return shellLines(before).map(([name = '', ...words]) => ({ name, words }));
}

/** What stands in the first section of a name; empty where there is none. */
export function kickstartSection(text: string, name: string): string {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.split(' ')[0] === name);
  const end = lines.indexOf('%end', start);
  return start === -1 || end === -1 ? '' : `${lines.slice(start + 1, end).join('\n')}\n`;
}

/** The value of an option `--key=value`. */
export function commandOption(command: KickstartCommand | undefined, key: string): string | undefined {
  return command?.words.find((word) => word.startsWith(`--${key}=`))?.slice(key.length + 3);
}

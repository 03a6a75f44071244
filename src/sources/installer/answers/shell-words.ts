import { quoteCommand } from '../../../base/process.ts';
import { unreadable } from './answer-files.ts';

/*
 * Facts in shell scripts: lines of words, which the shell, and ingot, read back exactly. A newline is written as `"$nl"`, so each line of the
 * script is one command: no text of a fact ever begins a line, where it might end a section (`%end`) of the file that holds the script.
 */

/** Defines what stands for a newline in words; a line of every script with facts. */
export const NEWLINE = "nl='\n'";

/** Words as a line for `sh`, without its end. */
export function shellLine(words: readonly string[]): string {
  return words
    .map((word) =>
      word
        .split('\n')
        .map((part) => quoteCommand([part]))
        .join('"$nl"'),
    )
    .join(' ');
}

const PLAIN = /[\w@%+=:,./-]/;

/** The words of lines that {@link shellLine} wrote, comments and empty lines left out; throws `answers-unreadable` on what asks the shell for more. */
export function shellLines(text: string): string[][] {
  return text
    .split('\n')
    .map((line, i) => lineWords(line, i + 1))
    .filter((words) => words.length > 0);
}

function lineWords(line: string, number: number): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '#' && word === undefined) break;
    else if (character === "'") {
      const end = line.indexOf("'", at + 1);
      if (end === -1) throw unreadable(`line ${number} of a script ends within quotes`);
      word = (word ?? '') + line.slice(at + 1, end);
      at = end;
    } else if (character === '\\' && at + 1 < line.length) {
      at += 1;
      word = (word ?? '') + line.charAt(at);
    } else if (line.startsWith('"$nl"', at)) {
      at += '"$nl"'.length - 1;
      word = `${word ?? ''}\n`;
    } else if (PLAIN.test(character)) word = (word ?? '') + character;
    else throw unreadable(`line ${number} of a script holds ${character} outside quotes`);
  }
  return word === undefined ? words : [...words, word];
}

const FACTS = '# The facts.';
const END = '# End of the facts.';

/** A script that holds facts as calls of functions which its head defines. */
export function factsScript(head: string, facts: readonly (readonly string[])[], tail = ''): string {
  return `${head}\n${FACTS}\n${facts.map((words) => `${shellLine(words)}\n`).join('')}${END}\n${tail}`;
}

/** The facts of such a script; throws `answers-unreadable` where there are none. */
export function scriptFacts(script: string): string[][] {
  const [start, end] = [script.indexOf(`\n${FACTS}\n`), script.indexOf(`\n${END}\n`)];
  if (start === -1 || end === -1) throw unreadable('a script of it has no facts');
  return shellLines(script.slice(start + FACTS.length + 2, end + 1));
}

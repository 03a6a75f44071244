import { commandTree, firstWords, type CommandCompletion, type Offer } from './model.ts';

/** The completion script for fish. */
export function fishScript(commands: readonly CommandCompletion[]): string {
  const tree = commandTree(commands.map(({ name }) => name));
  const summaryOf = (name: string): string | undefined => commands.find((command) => command.name === name)?.summary;
  const lines = [
    '# fish completion of ingot; load it with: ingot completion fish | source',
    'function __ingot_is',
    '    set -l words (commandline -opc)',
    '    set -l named (string match -v -- "-*" $words[2..-1])',
    '    test (count $named) -ge (count $argv); or return 1',
    '    test "$named[1..(count $argv)]" = "$argv"',
    'end',
    'complete -c ingot -f',
  ];
  const description = (name: string): string => quote(summaryOf(name) ?? tree.get(name)?.join(', ') ?? '');
  for (const head of firstWords(tree)) {
    lines.push(`complete -c ingot -n 'test (count (commandline -opc)) -eq 1' -a ${quote(head)} -d ${description(head)}`);
  }
  for (const [before, next] of tree) {
    const when = `'__ingot_is ${before}; and test (count (commandline -opc)) -eq ${before.split(' ').length + 1}'`;
    for (const word of next) lines.push(`complete -c ingot -n ${when} -a ${quote(word)} -d ${description(`${before} ${word}`)}`);
  }
  for (const command of commands) {
    const longer = commands.filter(({ name }) => name.startsWith(`${command.name} `)).map(({ name }) => `; and not __ingot_is ${name}`);
    const when = `-n ${quote(`__ingot_is ${command.name}${longer.join('')}`)}`;
    for (const flag of command.flags) {
      const names = flag.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');
      lines.push(
        `complete -c ingot ${when} ${names}${flag.value === undefined ? '' : ` -r ${offer(flag.value)}`} -d ${quote(flag.description)}`.replaceAll('  ', ' '),
      );
    }
    for (const positional of command.positionals) {
      const words = offer(positional);
      if (words !== '') lines.push(`complete -c ingot ${when} ${words}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function offer(value: Offer): string {
  if (value.dynamic === 'file') return '-F';
  if (value.dynamic !== undefined) return `-a '(command ingot __complete ${value.dynamic} 2>/dev/null)'`;
  return value.words.length === 0 ? '' : `-a ${quote(value.words.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`;
}

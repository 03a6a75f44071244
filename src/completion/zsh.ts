import { commandTree, firstWords, groupsOf, type CommandCompletion, type Offer } from './model.ts';

/** The completion script for zsh. */
export function zshScript(commands: readonly CommandCompletion[]): string {
  const tree = commandTree(commands.map(({ name }) => name));
  const { pure: groups, mixed } = groupsOf(commands);
  const pure = groups.filter(([words]) => !words.includes(' '));
  const deeper = groups.filter(([words]) => words.includes(' '));
  const summaryOf = (name: string): string => commands.find((command) => command.name === name)?.summary ?? `${name} …`;
  return `#compdef ingot
# zsh completion of ingot; load it with: source <(ingot completion zsh)
_ingot_names() {
  local -a names
  names=(\${(f)"$(command ingot __complete $1 2>/dev/null)"})
  compadd -a names
}
_ingot() {
  local curcontext=$curcontext command line state
  local -a commands
  if ((CURRENT == 2)); then
    commands=(
${firstWords(tree)
  .map((head) => `      ${quote(`${head}:${pure.find(([name]) => name === head)?.[1].join(', ') ?? summaryOf(head)}`)}`)
  .join('\n')}
    )
    _describe command commands
    return
  fi
  command=$words[2]
  case $command in
    ${pure.map(([head]) => head).join('|') || '-'})
      if ((CURRENT == 3)); then
        case $command in
${pure.map(([head, seconds]) => `          ${head}) commands=(${seconds.map((second) => quote(`${second}:${summaryOf(`${head} ${second}`)}`)).join(' ')}) ;;`).join('\n')}
        esac
        _describe command commands
        return
      fi
      command="$command $words[3]"
      shift 2 words
      ((CURRENT -= 2))
      ;;
${mixed
  .map(
    ([head, seconds]) => `    ${head})
      if ((CURRENT == 3)); then
        commands=(${seconds.map((second) => quote(`${second}:${summaryOf(`${head} ${second}`)}`)).join(' ')})
        _describe command commands
      fi
      if ((CURRENT > 3)) && [[ " ${seconds.join(' ')} " == *" $words[3] "* ]]; then
        command="$command $words[3]"
        shift words
        ((CURRENT -= 1))
      fi
      shift words
      ((CURRENT -= 1))
      ;;`,
  )
  .join('\n')}
    *)
      shift words
      ((CURRENT -= 1))
      ;;
  esac
  case $command in
${deeper
  .map(
    ([before, next]) => `    ${quote(before)})
      if ((CURRENT == 2)); then
        commands=(${next.map((word) => quote(`${word}:${summaryOf(`${before} ${word}`)}`)).join(' ')})
        _describe command commands
        return
      fi
      command="$command $words[2]"
      shift words
      ((CURRENT -= 1))
      ;;`,
  )
  .join('\n')}
  esac
  case $command in
${commands.map((command) => `    ${quote(command.name)})\n      _arguments ${specifications(command).join(' ')}\n      ;;`).join('\n')}
  esac
}
compdef _ingot ingot
`;
}

function specifications(command: CommandCompletion): string[] {
  const flags = command.flags.flatMap((flag) =>
    flag.names.map((name) => quote(`*${name}[${escape(flag.description)}]${flag.value === undefined ? '' : `:value:${action(flag.value)}`}`)),
  );
  const positionals = command.positionals.map((positional, index) => quote(`${positional.many ? '*' : index + 1}:argument:${action(positional)}`));
  return [...flags, ...positionals];
}

function action(offer: Offer): string {
  if (offer.dynamic === 'file') return '_files';
  if (offer.dynamic !== undefined) return `{_ingot_names ${offer.dynamic}}`;
  return offer.words.length === 0 ? '' : `(${offer.words.join(' ')})`;
}

function escape(text: string): string {
  return text.replaceAll(/[[\]:]/g, (sign) => `\\${sign}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

import { commandTree, firstWords, groupsOf, type CommandCompletion, type Offer } from './model.ts';

/** The completion script for bash 4 and later; needs no bash-completion package. */
export function bashScript(commands: readonly CommandCompletion[]): string {
  const tree = commandTree(commands.map(({ name }) => name));
  const { pure, mixed } = groupsOf(commands);
  return `# bash completion of ingot; load it with: source <(ingot completion bash)
_ingot_offer() {
  local word=$2 list
  case $1 in
    words) list=$3 ;;
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    *) list=$(command "\${INGOT_COMPLETE:-ingot}" __complete "$1" 2>/dev/null) ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$list" -- "$word")
  # A colon ends a word for readline: what stands before it must not be repeated.
  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local before=\${word%"\${word##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  fi
}
_ingot() {
  COMPREPLY=()
  local words=() word index current previous='' command='' second='' place=0 flags='' values=''
  # Words that readline split at a colon or an equals sign are joined again.
  for ((index = 1; index <= COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if ((\${#words[@]} > 0)) && { [[ $word == [:=] ]] || [[ \${COMP_WORDS[index - 1]} == [:=] && $index -gt 1 ]]; }; then
      words[\${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
  done
  current=\${words[\${#words[@]}-1]:-}
  ((\${#words[@]} > 1)) && previous=\${words[\${#words[@]}-2]}
  local before=("\${words[@]:0:\${#words[@]}-1}") rest=() 
  local skip=0
  for word in "\${before[@]}"; do
    if ((skip)); then skip=0; continue; fi
    if [[ $word != -* ]] && [[ -z $command || $second == wanted ]]; then
      command=\${command:+$command }$word
      case $command in ${patterns(pure)}) second=wanted ;; ${patterns(mixed)}) second=possible ;; *) second='' ;; esac
      continue
    fi
    if [[ $second == possible ]]; then
      second=''
      case "$command $word" in ${mixed.flatMap(([head, seconds]) => seconds.map((name) => `'${head} ${name}'`)).join('|') || '-'}) command="$command $word"; continue ;; esac
    fi
    if [[ $word == -* ]]; then
      case "$command:$word" in
        ${valuedFlags(commands)}) skip=1 ;;
      esac
      continue
    fi
    place=$((place + 1))
  done
  if [[ -z $command ]]; then
    _ingot_offer words "$current" '${firstWords(tree).join(' ')} --help --version'
    return
  fi
  if [[ $second == wanted ]]; then
    case $command in
${pure.map(([head, seconds]) => `      '${head}') _ingot_offer words "$current" '${seconds.join(' ')} --help' ;;`).join('\n')}
    esac
    return
  fi
  case "$command:$previous" in
${commands.flatMap((command) => command.flags.flatMap((flag) => (flag.value === undefined ? [] : [`    ${flag.names.map((name) => `'${command.name}:${name}'`).join('|')}) ${offer(flag.value)} return ;;`]))).join('\n')}
  esac
  if [[ $current == -* ]]; then
    case $command in
${commands.map((command) => `      '${command.name}') _ingot_offer words "$current" '${command.flags.map((flag) => flag.names[0] ?? '').join(' ')}' ;;`).join('\n')}
    esac
    return
  fi
  case "$command:$place" in
${commands.flatMap((command) => command.positionals.map((positional, index) => `    '${command.name}:'${positional.many ? '*' : index}) ${offer(positional)} ;;`)).join('\n')}
  esac
  if [[ $second == possible ]]; then
    case $command in
${mixed.map(([head, seconds]) => `      '${head}') mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W '${seconds.join(' ')}' -- "$current") ;;`).join('\n')}
      *) ;;
    esac
  fi
}
complete -F _ingot ingot
`;
}

function patterns(groups: readonly [string, string[]][]): string {
  return groups.map(([words]) => `'${words}'`).join('|') || '-';
}

function valuedFlags(commands: readonly CommandCompletion[]): string {
  const patterns = commands.flatMap((command) =>
    command.flags.filter((flag) => flag.value !== undefined).flatMap((flag) => flag.names.map((name) => `'${command.name}:${name}'`)),
  );
  return patterns.length === 0 ? "''" : patterns.join('|');
}

function offer(value: Offer): string {
  if (value.dynamic !== undefined) return `_ingot_offer ${value.dynamic} "$current";`;
  return value.words.length === 0 ? ':;' : `_ingot_offer words "$current" '${value.words.join(' ')}';`;
}

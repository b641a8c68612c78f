import { type CompletedCommand, quoted, valueFlags } from './completed-commands.ts';

/**
 * The completion for bash. It follows the words before the cursor to the command that they name, skipping
 * values of options, and offers what may come next.
 */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  const paths = commands.filter(({ path }) => path !== '').map(({ path }) => path);
  return `# Completion of isthmus for bash; made by \`isthmus completion bash\`.
_isthmus_words() {
  local IFS=$' \\n'
  COMPREPLY=($(compgen -W "$1" -- "$2"))
}

_isthmus_paths() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$2"))
}

_isthmus() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path='' word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == -- ]]; then
      compopt -o default 2>/dev/null
      return
    fi
    case "$path $word" in
      ${alternatives(paths)}) path="$path $word" ;;
      ${alternatives(valueFlags(commands))})
        [[ \${COMP_WORDS[i + 1]} == = ]] && ((i++))
        ((i++))
        ;;
    esac
  done
  # --option=value is three words to bash.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case "$path $prev" in
${cases([
  ...pathCases(commands),
  ...choiceCases(commands),
  ...caseOf(valueFlags(commands, 'other'), 'return'),
])}
  esac
  case "$path" in
${commands.map(commandCase).join('\n')}
  esac
}

complete -F _isthmus isthmus
`;
}

/** A branch of a \`case\`: its patterns, and what is done. */
interface Branch {
  readonly patterns: readonly string[];
  readonly act: string;
}

function caseOf(patterns: readonly string[], act: string): readonly Branch[] {
  return patterns.length === 0 ? [] : [{ patterns, act }];
}

function pathCases(commands: readonly CompletedCommand[]): readonly Branch[] {
  return [
    ...caseOf(valueFlags(commands, 'file'), '_isthmus_paths -f "$cur"; return'),
    ...caseOf(valueFlags(commands, 'folder'), '_isthmus_paths -d "$cur"; return'),
  ];
}

function choiceCases(commands: readonly CompletedCommand[]): readonly Branch[] {
  return commands.flatMap(({ path, options }) =>
    options.flatMap(({ flags, value }) =>
      value.kind === 'choice'
        ? [
            {
              patterns: flags.map((flag) => `${path} ${flag}`),
              act: `_isthmus_words ${quoted(value.choices.join(' '))} "$cur"; return`,
            },
          ]
        : [],
    ),
  );
}

function cases(branches: readonly Branch[]): string {
  return branches.map(({ patterns, act }) => `    ${alternatives(patterns)}) ${act} ;;`).join('\n');
}

function commandCase({ path, options, commands, argument }: CompletedCommand): string {
  const flags = options.flatMap((option) => option.flags).join(' ');
  const names = commands.map(({ name }) => name).join(' ');
  const follows =
    argument.kind === 'file' || argument.kind === 'folder'
      ? `_isthmus_paths ${argument.kind === 'file' ? '-f' : '-d'} "$cur"`
      : `_isthmus_words ${quoted(argument.kind === 'choice' ? argument.choices.join(' ') : names)} "$cur"`;
  return `    ${quoted(path)})
      if [[ $cur == -* ]]; then _isthmus_words ${quoted(flags)} "$cur"; else ${follows}; fi ;;`;
}

function alternatives(patterns: readonly string[]): string {
  return patterns.map(quoted).join(' | ');
}

import { type CompletedCommand, type CompletedOption, quoted, valueFlags } from './completed-commands.ts';

/** The completion for zsh: for \`source\`, and as a file \`_isthmus\` in a folder of \`fpath\`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const paths = commands.filter(({ path }) => path !== '').map(({ path }) => path);
  return `#compdef isthmus
# Completion of isthmus for zsh; made by \`isthmus completion zsh\`.
_isthmus() {
  local at='' prev word i
  local -a flags names
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    if [[ $word == -- ]]; then
      shift $i words
      ((CURRENT -= i))
      _normal
      return
    fi
    case "$at $word" in
      ${alternatives(paths)}) at="$at $word" ;;
      ${alternatives(valueFlags(commands))}) ((i++)) ;;
    esac
  done
  prev=\${words[CURRENT - 1]}
  if [[ $PREFIX == --*=* ]]; then
    prev=\${PREFIX%%=*}
    compset -P 1 '*='
  fi
  case "$at $prev" in
${valueCases(commands)}
  esac
  case "$at" in
${commands.map(commandCase).join('\n')}
  esac
}

if [[ $funcstack[1] == _isthmus ]]; then _isthmus "$@"; else compdef _isthmus isthmus; fi
`;
}

function valueCases(commands: readonly CompletedCommand[]): string {
  const ofKind = (kind: 'file' | 'folder' | 'other', act: string) => {
    const flags = valueFlags(commands, kind);
    return flags.length === 0 ? [] : [`    ${alternatives(flags)}) ${act} ;;`];
  };
  const choices = commands.flatMap(({ path, options }) =>
    options.flatMap(({ flags, value }) =>
      value.kind === 'choice'
        ? [
            `    ${alternatives(flags.map((flag) => `${path} ${flag}`))}) compadd -- ${value.choices.map(quoted).join(' ')}; return ;;`,
          ]
        : [],
    ),
  );
  return [
    ...ofKind('file', '_files; return'),
    ...ofKind('folder', '_files -/; return'),
    ...choices,
    ...ofKind('other', 'return'),
  ].join('\n');
}

function commandCase({ path, options, commands, argument }: CompletedCommand): string {
  const flags = options.flatMap(described).join(' ');
  const names = commands.map(({ name, words }) => quoted(`${name}:${words}`)).join(' ');
  const follow = {
    file: '_files',
    folder: '_files -/',
    choice: `compadd -- ${argument.kind === 'choice' ? argument.choices.map(quoted).join(' ') : ''}`,
    none: '_describe command names',
    other: '_describe command names',
  }[argument.kind];
  return `    ${quoted(path)})
      flags=(${flags})
      names=(${names})
      if [[ $PREFIX == -* ]]; then _describe -o option flags; else ${follow}; fi ;;`;
}

function described({ flags, words }: CompletedOption): readonly string[] {
  return flags.map((flag) => quoted(`${flag}:${words}`));
}

function alternatives(patterns: readonly string[]): string {
  return patterns.map(quoted).join(' | ');
}

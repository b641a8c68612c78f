import { type CompletedCommand, type CompletedOption, valueFlags } from './completed-commands.ts';

/** The completion for fish: one line for each command and each option. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const paths = commands.filter(({ path }) => path !== '').map(({ path }) => path);
  return `# Completion of isthmus for fish; made by \`isthmus completion fish\`.
function __isthmus_at --description 'Whether the words before the cursor name this command'
    set -l at ''
    set -l isValue 0
    for word in (commandline -opc)[2..-1]
        if test $isValue = 1
            set isValue 0
            continue
        end
        test "$word" = --; and return 1
        switch "$at $word"
            case ${paths.map(quoted).join(' ')}
                set at "$at $word"
            case ${valueFlags(commands).map(quoted).join(' ')}
                set isValue 1
        end
    end
    test "$at" = "$argv[1]"
end

complete -c isthmus -e
complete -c isthmus -f
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, options, commands, argument }: CompletedCommand): readonly string[] {
  const at = `complete -c isthmus -n ${quoted(`__isthmus_at ${quoted(path)}`)}`;
  const given = {
    file: [`${at} -F`],
    folder: [`${at} -x -a '(__fish_complete_directories)'`],
    choice: [`${at} -a ${quoted(argument.kind === 'choice' ? argument.choices.join(' ') : '')}`],
    // What follows \`--\` is a command of the shell.
    other: path === ' run' ? ["complete -c isthmus -n 'contains -- -- (commandline -opc)' -F"] : [],
    none: [],
  }[argument.kind];
  return [
    ...commands.map(({ name, words }) => `${at} -a ${name} -d ${quoted(words)}`),
    ...options.map((option) => `${at} ${optionOf(option)}`),
    ...given,
  ];
}

function optionOf({ flags, words, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  const takes = {
    none: '',
    file: ' -r -F',
    folder: " -x -a '(__fish_complete_directories)'",
    choice: ` -x -a ${quoted(value.kind === 'choice' ? value.choices.join(' ') : '')}`,
    other: ' -x',
  }[value.kind];
  return `${names.join(' ')}${takes} -d ${quoted(words)}`;
}

/** A word in single quotes, as fish reads it. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

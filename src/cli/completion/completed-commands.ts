import type { Command, Option } from 'commander';

/** What a value may be, as far as a shell can complete it. */
export type CompletedValue =
  | { readonly kind: 'none' | 'file' | 'folder' | 'other' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] };

/** An option as a shell completes it. */
export interface CompletedOption {
  /** Its long and short flags, such as `--output` and `-o`. */
  readonly flags: readonly string[];
  /** What it is for, in one line. */
  readonly words: string;
  /** What follows it; `none`: it is a switch. */
  readonly value: CompletedValue;
}

/** A command as a shell completes it. */
export interface CompletedCommand {
  /** The words after `isthmus`, with a space before each: ` drill live`; '' for `isthmus` itself. */
  readonly path: string;
  readonly options: readonly CompletedOption[];
  /** Commands below it: name and what they are for. */
  readonly commands: readonly { readonly name: string; readonly words: string }[];
  /** What its first argument is. */
  readonly argument: CompletedValue;
}

/** A command and all below it, from the same objects that read the command line and print the help. */
export function completedCommands(command: Command, path = ''): readonly CompletedCommand[] {
  const help = command.createHelp();
  const [first] = command.registeredArguments;
  const own: CompletedCommand = {
    path,
    options: help.visibleOptions(command).map(completedOption),
    commands: help
      .visibleCommands(command)
      .map((each) => ({ name: each.name(), words: each.summary() || each.description() })),
    argument: first === undefined ? { kind: 'none' } : completedValue(`<${first.name()}>`, first.argChoices),
  };
  return [own, ...command.commands.flatMap((each) => completedCommands(each, `${path} ${each.name()}`))];
}

function completedOption({ long, short, flags, description, argChoices, required }: Option): CompletedOption {
  return {
    flags: [long, short].filter((flag) => flag != null),
    words: firstClause(description),
    value: required ? completedValue(flags, argChoices) : { kind: 'none' },
  };
}

/** The placeholder of an option or argument tells files and folders; all else is not guessed. */
function completedValue(placeholder: string, choices: readonly string[] | undefined): CompletedValue {
  if (choices !== undefined) return { kind: 'choice', choices };
  if (/<dir>/.test(placeholder)) return { kind: 'folder' };
  return { kind: /<(?:file|path)>/.test(placeholder) ? 'file' : 'other' };
}

/** The first clause: a menu of a shell has room for a few words. */
function firstClause(text: string): string {
  const [clause = ''] = text.replaceAll(/\s+/g, ' ').split(/[;.] | \(/);
  return clause.trim();
}

/** A word in single quotes, as bash and zsh read it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Options that take a value, as `PATH FLAG`: the word behind one is no command. */
export function valueFlags(
  commands: readonly CompletedCommand[],
  kind?: CompletedValue['kind'],
): readonly string[] {
  return commands.flatMap(({ path, options }) =>
    options
      .filter(({ value }) => value.kind !== 'none' && (kind === undefined || value.kind === kind))
      .flatMap(({ flags }) => flags.map((flag) => `${path} ${flag}`)),
  );
}

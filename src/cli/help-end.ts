import type { Command, Option } from 'commander';

/** The widest that a help is, in columns. */
const columns = Math.min(process.stdout.columns || 80, 80);

/** The end of a command's help: exit codes and examples. */
export function helpEnd({
  exits,
  examples,
}: {
  /** Exit codes, such as `0 done; 1 refused`. */
  readonly exits: string;
  /** Command lines. */
  readonly examples: readonly string[];
}): string {
  const shown = examples.map((line) => `  ${line}`).join('\n');
  return `\n${wrap(`Exit code: ${exits}`)}\n\nExample:\n${shown}`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}

/**
 * Sets the form of the help of a command and all below it: at most 80 columns wide, descriptions wrapped
 * beside long flags too (commander leaves them as they are below 40 columns), notes of an option in one pair
 * of parentheses.
 */
export function wrapHelp(command: Command): void {
  command.configureHelp({ helpWidth: columns, minWidthToWrap: 20, optionDescription: describeOption });
  command.helpOption('-h, --help', 'show this help');
  if (command.commands.length > 0) command.helpCommand('help [command]', 'show the help of a command');
  command.commands.forEach(wrapHelp);
}

/** A default that the description of an option ends with, where it has no value for it. */
const statedDefault = /^(?<words>.*) \(default: (?<fallback>[^()]*)\)$/s;

/**
 * What an option is for, and then all notes on it, each once: the choices, whether it must be given, its
 * default, its environment variable.
 */
function describeOption(option: Option): string {
  const { argChoices, envVar, flags, mandatory } = option;
  const stated = statedDefault.exec(option.description)?.groups;
  const words = stated?.words ?? option.description;
  const fallback = stated?.fallback ?? defaultOf(option);
  const isInFlags = argChoices !== undefined && flags.includes(argChoices.join('|'));
  const notes = [
    ...(argChoices === undefined || isInFlags ? [] : [listed(argChoices)]),
    ...(mandatory && fallback === undefined ? ['required'] : []),
    ...(fallback === undefined ? [] : [`default: ${fallback}`]),
    ...(envVar === undefined ? [] : [`env: ${envVar}`]),
  ];
  return notes.length === 0 ? words : `${words} (${notes.join('; ')})`;
}

/** The default of an option as text; undefined where there is none, or it is that of a switch. */
function defaultOf(option: Option): string | undefined {
  const { defaultValue, defaultValueDescription } = option;
  if (defaultValue === undefined || option.isBoolean()) return undefined;
  return defaultValueDescription ?? String(defaultValue);
}

function listed(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} or ${last}`;
}

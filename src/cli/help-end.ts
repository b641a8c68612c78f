import type { Command } from 'commander';

/** Columns of a terminal that says nothing of itself, which commander wraps for as well. */
const columns = 80;

/** The end of a command's help, after its options: how it ends, and how it is used. */
export function helpEnd({
  exits,
  examples,
}: {
  /** Exit codes, such as `0 done; 1 refused`. */
  readonly exits: string;
  /** Lines as they are typed. */
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
 * Descriptions are wrapped beside long flags too, of a command and all below it: commander leaves them as
 * they are where there are less than 40 columns.
 */
export function wrapHelp(command: Command): void {
  command.configureHelp({ minWidthToWrap: 20 });
  command.commands.forEach(wrapHelp);
}

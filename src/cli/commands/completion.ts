import { Argument, Command } from 'commander';
import { helpEnd } from '../help-end.ts';

const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/**
 * `isthmus completion SHELL`: prints a script by which a shell completes commands, options and their values.
 * `whole` returns the program with all of its commands.
 */
export function completionCommand(whole: () => Promise<Command>): Command {
  return new Command('completion')
    .summary('print the completion of commands and options for a shell')
    .description(
      'Print a script that lets a shell complete the commands and options of isthmus, and values where they are few, or files. It is made from the options of this version: print it again after an upgrade.',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 printed; 2 no such shell.',
        examples: [
          '# in ~/.bashrc',
          'source <(isthmus completion bash)',
          '# in ~/.zshrc, after compinit',
          'source <(isthmus completion zsh)',
          '# once',
          'isthmus completion fish > ~/.config/fish/completions/isthmus.fish',
        ],
      }),
    )
    .action(async (shell: Shell) => {
      const { completedCommands } = await import('../completion/completed-commands.ts');
      const commands = completedCommands(await whole());
      process.stdout.write(await scriptFor(shell, commands));
    });
}

async function scriptFor(
  shell: Shell,
  commands: ReturnType<typeof import('../completion/completed-commands.ts').completedCommands>,
): Promise<string> {
  switch (shell) {
    case 'bash':
      return (await import('../completion/bash.ts')).bashCompletion(commands);
    case 'zsh':
      return (await import('../completion/zsh.ts')).zshCompletion(commands);
    case 'fish':
      return (await import('../completion/fish.ts')).fishCompletion(commands);
  }
}

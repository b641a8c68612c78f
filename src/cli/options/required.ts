import type { Command } from 'commander';

/**
 * Reports required options that are missing all at once, and after unknown ones, of which one may be meant.
 * Commander alone reports the first, and before it looks at unknown ones. For the command and those below.
 */
export function requireAtOnce(command: Command): void {
  const required = command.options.filter(({ mandatory }) => mandatory);
  for (const option of required) option.mandatory = false;
  command.hook('preAction', (_, called) => {
    if (called !== command) return;
    const missing = required.filter((option) => called.getOptionValue(option.attributeName()) === undefined);
    const [first, ...others] = missing.map(({ flags }) => flags);
    if (first === undefined) return;
    const words = others.length === 0 ? `${first}: it is` : `${[first, ...others].join(', ')}: they are`;
    called.error(`error: give ${words} required.`, { code: 'commander.missingMandatoryOptionValue' });
  });
  command.commands.forEach(requireAtOnce);
}

import { exitCode } from '../../base/exit.ts';
import { failureText } from '../../base/failure-text.ts';

/**
 * Ends the process at an uncaught exception or unhandled rejection, with one line on standard error and exit
 * code 2. A command with a listener of its own (`serve`) decides instead.
 */
export function endAtUncaught(): void {
  const ending = (reason: unknown) => {
    if (process.listeners('uncaughtException').some((listener) => listener !== ending)) return;
    process.stderr.write(`isthmus: ${failureText(reason)}\n`);
    process.exit(exitCode.unusable);
  };
  process.on('uncaughtException', ending);
}

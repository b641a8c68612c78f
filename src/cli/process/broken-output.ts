import { exitCode } from '../../base/exit.ts';

/**
 * Ends the process when what reads its standard output is gone, as after `| head -1`: quietly, with the exit
 * code that a shell shows for a program ended by SIGPIPE. Output that cannot be written for another reason,
 * as on a full disk, is said on the standard error and ends it with 2. A command that must go on without a
 * reader has an `error` listener of its own on `process.stdout`, which then decides instead. Lost text of
 * the standard error ends nothing.
 */
export function endAtBrokenOutput(): void {
  const ending = (error: NodeJS.ErrnoException) => {
    if (process.stdout.listeners('error').some((listener) => listener !== ending)) return;
    if (error.code === 'EPIPE') process.exit(exitCode.readerGone);
    process.stderr.write(`isthmus: the standard output takes no more: ${error.message}\n`);
    process.exit(exitCode.unusable);
  };
  process.stdout.on('error', ending);
  process.stderr.on('error', () => {});
}

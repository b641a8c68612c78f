import { exitCode } from '../../base/exit.ts';
import type { ClosableLogger } from './log.ts';

/**
 * Ends the process at a fault that nothing has caught: an exception, or a promise that was rejected with
 * nobody to hear it. What state it left is not known, so that nothing may go on. It is logged with its stack,
 * the log is read to its end, for a second at most, and the exit code is 1. Nothing else has to be flushed:
 * registrations are committed before they are answered, and the last good state is written aside and renamed.
 */
export function endAtFault(logger: ClosableLogger): void {
  let ending = false;
  process.on('uncaughtException', (reason: unknown, origin) => {
    // Whatever follows from the first.
    if (ending) return;
    ending = true;
    const { message, stack } = reason instanceof Error ? reason : new Error(String(reason));
    logger.error('a fault that nothing caught ends the control plane; proxies keep what they have', {
      ...{ error: message, origin, stack },
    });
    void logger.close().finally(() => process.exit(exitCode.failed));
  });
}

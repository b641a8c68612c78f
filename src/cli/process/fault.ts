import { exitCode } from '../../base/exit.ts';
import type { ClosableLogger } from './log.ts';

/**
 * Ends the process at an uncaught exception or unhandled rejection: its state is unknown, and nothing may go
 * on. The error is logged with its stack, the log flushed for at most a second, and the exit code is 1.
 * Nothing else needs a flush: registrations are committed before they are answered, and the last good state
 * is written atomically.
 */
export function endAtFault(logger: ClosableLogger): void {
  let ending = false;
  process.on('uncaughtException', (reason: unknown, origin) => {
    // Consequences of the first.
    if (ending) return;
    ending = true;
    const { message, stack } = reason instanceof Error ? reason : new Error(String(reason));
    logger.error('an uncaught error ends the control plane; proxies keep their configuration', {
      ...{ error: message, origin, stack },
    });
    void logger.close().finally(() => process.exit(exitCode.failed));
  });
}

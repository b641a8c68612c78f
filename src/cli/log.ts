import { pino } from 'pino';
import { systemClock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { LogLevel } from './loglevel.ts';
import { openStderr } from './stderr.ts';

// Some thousand lines: what a reader that stopped for a moment misses nothing of.
const pendingBytesMax = 2 ** 20;
// For a reader that is only late, when the process ends.
const graceMs = 1_000;

/** A logger whose last lines can be waited for. */
export interface ClosableLogger extends Logger {
  /** Resolves when all lines were read, after a second at most. Nothing may be logged after it. */
  close(): Promise<void>;
}

/**
 * Logs JSON lines to stderr: stdout is for what a command was asked for. A reader that is slow, or gone, costs lines, which
 * are counted, and never holds the process up.
 */
export function createLogger(level: LogLevel): ClosableLogger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name: string) => ({ level: name }) },
  };
  const dropped = (lines: number) => {
    const time = new Date(systemClock.wall()).toISOString();
    return `${JSON.stringify({ level: 'warn', time, dropped: lines, msg: 'log lines were dropped: stderr was not read' })}\n`;
  };
  const sink = openStderr(systemClock, { pendingBytesMax, dropped });
  const out = pino(options, sink);
  return {
    debug: (message, fields) => out.debug(fields ?? {}, message),
    info: (message, fields) => out.info(fields ?? {}, message),
    warn: (message, fields) => out.warn(fields ?? {}, message),
    error: (message, fields) => out.error(fields ?? {}, message),
    close: () => sink.close(graceMs),
  };
}

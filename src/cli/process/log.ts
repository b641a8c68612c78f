import { pino } from 'pino';
import { systemClock } from '../../base/clock.ts';
import type { LogFields, Logger, LogLevel } from '../../base/log.ts';
import { LineRates } from './line-rates.ts';
import { openStderr } from './stderr.ts';

// Some thousand lines: enough for a reader that pauses for a moment.
const pendingBytesMax = 2 ** 20;
// Time for a late reader when the process ends.
const graceMs = 1_000;

/** A logger that can be flushed. */
export interface ClosableLogger extends Logger {
  /** Resolves when all lines were written, at most after a second. Nothing may be logged after it. */
  close(): Promise<void>;
}

/**
 * Logs JSON lines to stderr: stdout is for a command's output. A slow or missing reader and a full disk cost
 * lines, which are counted, and never block the process. Lines of one message are rate-limited, see
 * `lineRates`.
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
    return `${JSON.stringify({ level: 'warn', time, dropped: lines, msg: 'log lines were dropped: stderr did not take them' })}\n`;
  };
  const sink = openStderr(systemClock, { pendingBytesMax, dropped });
  const out = pino(options, sink);
  const rates = new LineRates(systemClock);
  const at = (level: 'info' | 'warn' | 'error') => (message: string, fields?: LogFields) => {
    const passed = rates.pass(message, fields);
    if (passed !== undefined) out[level](passed, message);
  };
  return {
    debug: (message, fields) => out.debug(fields ?? {}, message),
    ...{ info: at('info'), warn: at('warn'), error: at('error') },
    close: () => sink.close(graceMs),
  };
}

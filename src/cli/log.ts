import { pino } from 'pino';
import type { Logger } from '../base/log.ts';
import type { LogLevel } from './loglevel.ts';

/** Logs JSON lines to stderr: stdout is for what a command was asked for. */
export function createLogger(level: LogLevel): Logger {
  const out = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
  return {
    debug: (message, fields) => out.debug(fields ?? {}, message),
    info: (message, fields) => out.info(fields ?? {}, message),
    warn: (message, fields) => out.warn(fields ?? {}, message),
    error: (message, fields) => out.error(fields ?? {}, message),
  };
}

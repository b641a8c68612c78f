/** Fields of a log line besides its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging, injected. The implementation is chosen at the edge (`cli/`). */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Drops all messages: for libraries and tests. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Log levels; each includes those after it. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What went wrong, as a closed set that callers may switch on. */
export type MeshErrorCode =
  | 'invalid' // input that breaks a stated rule
  | 'not-found' // a thing that was named does not exist
  | 'conflict' // two things that exclude each other
  | 'forbidden' // who asks may not have it
  | 'unavailable' // something outside did not answer
  | 'exhausted' // more than a stated limit
  | 'late' // not within a stated time
  | 'unsupported' // valid, but this version does not do it
  | 'internal'; // a fault of ours

/**
 * The one error class. `message` says what was wrong and what to do; `ref` says where (file:line, object,
 * node).
 */
export class MeshError extends Error {
  readonly code: MeshErrorCode;
  readonly ref: string | undefined;

  constructor(code: MeshErrorCode, message: string, options: { ref?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshError';
    this.code = code;
    this.ref = options.ref;
  }

  /** Wraps anything a `catch` may see; a MeshError passes through unchanged. */
  static from(reason: unknown, code: MeshErrorCode = 'internal'): MeshError {
    if (reason instanceof MeshError) return reason;
    const message = reason instanceof Error ? reason.message : String(reason);
    return new MeshError(code, message, { cause: reason });
  }
}

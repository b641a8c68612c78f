/** Limits on processor time for requests. */
export interface PaceLimits {
  /** Milliseconds of processor time that a connection may use at any time. */
  readonly burstMs: number;
  /** Share of one processor that a connection may use beyond the burst. */
  readonly share: number;
  /** A connection that exceeds its share without a pause for this long is refused, on an idle machine too. */
  readonly overMsMax: number;
  /** The same for all connections together; light connections are served beyond it. */
  readonly allBurstMs: number;
  readonly allShare: number;
  /**
   * A connection that used less than this recently is light. The threshold falls as total use rises, to at
   * most half of a fair share when many wait. Recent use halves every `lateMs`.
   */
  readonly littleMs: number;
  readonly lateMs: number;
  /** A message of more bytes never counts as light. */
  readonly littleBytes: number;
  /**
   * After this many milliseconds of requests in one turn of the event loop, heavy connections wait for the
   * next turn.
   */
  readonly loopMs: number;
  /** Length of a slice in milliseconds; the connection then queues for the next one. */
  readonly sliceMs: number;
  /** Share of the time in which the event loop was idle that is given back; 0: it counts like any other. */
  readonly idleShare: number;
}

/** A first request of 100,000 names takes some 200 ms, an ACK microseconds. */
export const paceLimits: PaceLimits = {
  ...{ burstMs: 2_000, share: 0.25, overMsMax: 60_000 },
  ...{ allBurstMs: 500, allShare: 0.5 },
  ...{ littleMs: 200, lateMs: 10_000, littleBytes: 64 * 1024, loopMs: 5 },
  ...{ sliceMs: 2, idleShare: 1 },
};

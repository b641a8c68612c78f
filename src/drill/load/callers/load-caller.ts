import type { Call } from '../../call/call.ts';

/** A request that is due. */
export interface LoadJob {
  readonly id: string;
  readonly host: string;
  /** What it is in a mixed load; absent in one of small requests that are all alike. */
  readonly call?: Call;
}

/** What became of a request. */
export interface LoadResult {
  /** HTTP status; 0 when none came. Of what has none, 200 when it went well. */
  readonly status: number;
  /** Who answered, as the answer says; '' when nobody did. */
  readonly idc: string;
  readonly instance: string;
  /** `address:port` that it was written to, or tried last. */
  readonly target: string;
  /** When the connection it was written on was established; 0 when none was. */
  readonly connectedAt: number;
  /** Why it failed; '' for a success. */
  readonly error: string;
  /** What a proxy that refused it said of why (`x-isthmus-outcome`); absent when none did. */
  readonly outcome?: string;
  /** The longest time between two pieces of what comes piece by piece, in milliseconds. */
  readonly gapMs?: number;
}

/** Makes calls of one kind, each once: no caller tries again what it has sent. */
export interface Caller {
  /**
   * Makes a call, says once what became of it, and returns what abandons it (`done` is called for that, too).
   */
  make(job: LoadJob, done: (result: LoadResult) => void): (reason: Error) => void;
  /** Ends all connections. */
  close(): void;
}

/** Measures the longest time between two pieces. */
export function createGapMeter(now: () => number): { mark(): void; readonly longestMs: number } {
  let [last, longestMs] = [Number.NaN, 0];
  return {
    mark() {
      const at = now();
      if (at - last > longestMs) longestMs = at - last;
      last = at;
    },
    get longestMs() {
      return longestMs;
    },
  };
}

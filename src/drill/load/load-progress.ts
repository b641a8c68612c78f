/** What a load client prints first: it can begin. */
export const loadReady = 'ready';

/** What a load client tells the drill every 200 ms: counts since the line before. */
export interface LoadProgress {
  readonly stream: string;
  readonly done: number;
  readonly failed: number;
  /** Successes by the IDC that served them. */
  readonly byIdc: Readonly<Record<string, number>>;
  /** Milliseconds from when each was due. */
  readonly latencies: readonly number[];
  /** The load has ended; no further line follows. */
  readonly last: boolean;
}

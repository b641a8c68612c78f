/** What a drill must keep to. Times in milliseconds. */
export const bounds = {
  /** Share of requests that succeed. */
  successRate: 1,
  /** Where nothing is declared: until PING has no answer, and the next try has one. */
  outageP99Ms: 2000,
  /** Where a Group asks for hedging: the time after which it hedges, and a third to spare. */
  hedgedOutageP99Ms: 600,
  /** From when healing begins until the second steady phase: up to eight processes start meanwhile, on two processors. */
  recoveryP99Ms: 2000,
  /** Median in the outage, as a multiple of the steady one. */
  outageP50Factor: 3,
  /** A request is slow when it took longer than this multiple of the steady p99. */
  slowFactor: 2,
  lastSlowMs: 3000,
  failbackMs: 10_000,
  crossings: 1,
  tries: 8,
  eventToAckP50Ms: 20,
  eventToAckP99Ms: 100,
  edits: 100,
  /** Of the ACKs that edits must bring: one for each edit and proxy that uses what was edited. */
  ackShare: 0.9,
  /** Of each load, served by its own IDC while nothing is broken. */
  homeShare: 0.99,
  /** p99 of callers in the other IDC while a whole site is lost, as a multiple of the steady one … */
  unawareFactor: 2,
  /** … or this, if that is less. */
  unawareP99Ms: 50,
} as const;

/** Failing back is done when the share of the IDC is this close to its steady value, and stays so. */
export const failbackTolerance = 0.05;

/** Windows in which that share is looked at, in milliseconds: 50 requests or more at 100 a second. */
export const failbackWindowMs = 500;

/** How long each part of a push took, in milliseconds. */
interface Stages {
  /** From when the event was read until its turn came. */
  readonly queueMs: number;
  /** Index, plan, and the building of messages. */
  readonly planMs: number;
  /** Encoding, and finding who subscribes. */
  readonly encodeMs: number;
  /** From then until the last response was written. */
  readonly sendMs: number;
  /** From the writing of the response that was ACKed last until its ACK. */
  readonly ackMs: number;
}

/** What names a push on its way to the proxies and back: the object itself. */
export interface PushCause {
  /** When the earliest of its events was read, in the clock's `now`. */
  readonly at: number;
}

/** One push: what a batch of events changed, on its way to all proxies that it concerns. */
export interface Push {
  readonly cause: PushCause;
  /** As in `cause`. */
  readonly at: number;
  readonly source: string;
  /** The number of its events, and the first of them in words: `WorkloadEntry shop/cart-1`. */
  readonly events: number;
  readonly what: string;
  readonly startedAt: number;
  encodeMs: number;
  /** When all of it was encoded; 0 until then. */
  encodedAt: number;
  /** The state that has it in it, in the xDS server's count. */
  revision: number;
  /** By type: how many subscriptions it concerns, and how many of them have answered. */
  readonly types: Map<string, TypeProgress>;
  waiting: number;
  lastSentAt: number;
  lastAckedAt: number;
  lastNode: string;
  nacks: number;
}

/** How far one type of a push has come. */
export interface TypeProgress {
  expected: number;
  answered: number;
  lastAckedAt: number;
}

/** A push that took long, or was not ACKed in time, as status shows it. */
export interface SlowPush extends Stages {
  /** When its earliest event was read, in milliseconds since the epoch. */
  readonly wallMs: number;
  readonly source: string;
  readonly events: number;
  readonly what: string;
  readonly types: readonly string[];
  /** From the event to the last ACK so far. */
  readonly totalMs: number;
  /** Subscriptions that it concerned: each one type of one proxy. */
  readonly subscriptions: number;
  readonly lastNode: string;
  readonly nacks: number;
  /** Nodes that had not ACKed it in the stated time; some of their names, when they are many. */
  readonly late: readonly string[];
}

/** What each stage of a push has taken so far. */
export function stagesOf(push: Push): Stages {
  const sentAt = Math.max(push.lastSentAt, push.encodedAt);
  return {
    queueMs: push.startedAt - push.at,
    planMs: Math.max(0, push.encodedAt - push.startedAt - push.encodeMs),
    encodeMs: push.encodeMs,
    sendMs: sentAt - push.encodedAt,
    ackMs: Math.max(0, push.lastAckedAt - sentAt),
  };
}

/** How long each part of a push took, in milliseconds. */
interface Stages {
  /** From the reading of the event until its turn. */
  readonly queueMs: number;
  /** Index, plan, and the building of messages. */
  readonly planMs: number;
  /** Encoding, and finding subscribers. */
  readonly encodeMs: number;
  /** From then until the last response was written. */
  readonly sendMs: number;
  /** From the write of the response that was ACKed last until its ACK. */
  readonly ackMs: number;
}

/** Identifies a push on its way to the proxies and back, by object identity. */
export interface PushCause {
  /** When the earliest of its events was read, in the clock's `now`. */
  readonly at: number;
}

/** One push: the changes of a batch of events, on their way to all proxies that they concern. */
export interface Push {
  readonly cause: PushCause;
  /** As in `cause`. */
  readonly at: number;
  readonly source: string;
  /** Number of its events, and the first of them: `WorkloadEntry shop/cart-1`. */
  readonly events: number;
  readonly what: string;
  readonly startedAt: number;
  encodeMs: number;
  /** When its encoding ended; 0 until then. */
  encodedAt: number;
  /** The xDS server's revision that includes it. */
  revision: number;
  /** By type: subscriptions that it concerns, and how many of them have answered. */
  readonly types: Map<string, TypeProgress>;
  waiting: number;
  lastSentAt: number;
  lastAckedAt: number;
  lastNode: string;
  nacks: number;
}

/** The progress of one type of a push. */
export interface TypeProgress {
  expected: number;
  answered: number;
  lastAckedAt: number;
}

/** A slow or late push, as status shows it. */
export interface SlowPush extends Stages {
  /** When its earliest event was read, in milliseconds since the epoch. */
  readonly wallMs: number;
  readonly source: string;
  readonly events: number;
  readonly what: string;
  readonly types: readonly string[];
  /** From the event to the last ACK so far. */
  readonly totalMs: number;
  /** Subscriptions that it concerned: one is a type of a proxy. */
  readonly subscriptions: number;
  readonly lastNode: string;
  readonly nacks: number;
  /** Nodes that had not ACKed it in time; some of them if there are many. */
  readonly late: readonly string[];
}

/** The time that each stage has taken so far. */
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

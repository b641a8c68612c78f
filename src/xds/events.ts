import type { envoy } from '../../protos/gen/envoy.d.ts';
import type { MeshError } from '../base/error.ts';
import type { TurnedAway } from './admission/admission-limits.ts';
import type { Cause } from './cause.ts';
import type { XdsVariant } from './respond/respond.ts';

/**
 * What a client says of itself in its first request, in Envoy's words. Its list of extensions is left out.
 */
export type Node = envoy.config.core.v3.Node;

/** Who is at the other end of the connection. */
export interface Peer {
  /** `address:port`. */
  readonly address: string;
  /** The client's certificate (DER), when it showed one that the server's credentials accept. */
  readonly certificate?: Uint8Array;
}

/** One stream of a discovery service. Known once its first request has named the node. */
export interface StreamInfo {
  /** Counts up over the server's life. */
  readonly id: number;
  readonly node: Node;
  readonly nodeClass: string;
  readonly protocol: XdsVariant;
  /** The type URL that the stream is for; undefined for an aggregated one (ADS). */
  readonly only?: string;
  readonly peer: Peer;
}

/** An ACK: the client has the state in force. */
export interface Ack {
  readonly stream: StreamInfo;
  readonly typeUrl: string;
  /** Abbreviation of the type: CDS, EDS, … */
  readonly type: string;
  readonly version: string;
  readonly nonce: string;
  /** In the server's clock (`Clock.now`), milliseconds. */
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
  /** The causes of the changes whose outcome this stream has with this ACK, each reported once per type. */
  readonly causes: readonly Cause[];
  /** The causes of changes that a newer one replaced before they were sent. */
  readonly superseded: readonly Cause[];
  /** Names of the resources in the response. */
  readonly names: readonly string[];
  readonly bytes: number;
}

/** A NACK: the client refused the response and goes on with the last good state. `message`: its own words. */
export interface Nack extends Ack {
  readonly message: string;
  /** False where the client has refused just this before: it was offered again. */
  readonly isNews: boolean;
  /** Of `names` and of what was removed, what the client refused; none where its words do not tell. */
  readonly refused: readonly string[];
}

/** A part of the state that somebody waits to see confirmed. */
export interface Concern {
  /** As `Applied.revision`. */
  readonly revision: number;
  /** Type URLs; absent: all. */
  readonly types?: readonly string[];
  /** Names by type URL: only these resources count. Absent: all of the types. */
  readonly resources?: ReadonlyMap<string, ReadonlySet<string>>;
  /** What is refused, or removed and held back, does not count against it, unless `resources` names it. */
  readonly lenient?: boolean;
  /**
   * The stream must have subscribed to all of `types`: one that has just begun has not, and has shown
   * nothing.
   */
  readonly subscribed?: boolean;
}

/** A stream that was ended for what its client sent. */
export interface RefusedStream {
  readonly peer: Peer;
  /** Its node's id, where it had said it. */
  readonly node: string | undefined;
  readonly error: MeshError;
}

/** What the caller may listen to. An exception thrown by a hook is logged and goes no further. */
export interface Hooks {
  /** A stream's first request has come. Its class may still be made here: it is answered after this. */
  onStreamOpen?(stream: StreamInfo): void;
  onStreamClose?(stream: StreamInfo): void;
  /** A stream was ended here: for what it sent, or did not send in time. */
  onStreamRefused?(refused: RefusedStream): void;
  /** A connection, or a stream before its first message, had no place, or used it for nothing. */
  onTurnedAway?(one: TurnedAway): void;
  onAck?(ack: Ack): void;
  onNack?(nack: Nack): void;
  /**
   * A stream has confirmed more than before: by an ACK, or because nothing had to be said. `has` tells,
   * during the call, whether it has all that a `Concern` names.
   */
  onConfirmed?(stream: StreamInfo, has: (concern: Concern) => boolean): void;
  /**
   * A stream of a class that has no resources yet: make it with `apply`, now or later. It waits until then.
   */
  onUnknownClass?(stream: StreamInfo): void;
  /** The last stream of a class has gone: `dropClass` frees its memory. */
  onUnusedClass?(nodeClass: string): void;
}

/** What a client refuses of one type. */
export interface NackStatus {
  readonly version: string;
  /** The client's own words. */
  readonly message: string;
  /** The resources that are known to be refused, or the first of them; none while that is being found out. */
  readonly names: readonly string[];
  /** Of `names`, those of which the client has no earlier version either: it goes without them. */
  readonly lacking: readonly string[];
  /** When the first of what was refused is offered again, in the server's clock. */
  readonly againAtMs: number | undefined;
}

/** Where a stream stands with one type. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly type: string;
  /** STALE: newer state is on its way or waits for its turn. */
  readonly state: 'SYNCED' | 'STALE' | 'NACKED' | 'NOT SENT';
  /** The last version that was ACKed. */
  readonly version: string | undefined;
  /** When the last ACK or NACK came, in the server's clock. */
  readonly sinceMs: number | undefined;
  /** Number of names subscribed; undefined for all. */
  readonly names: number | undefined;
  /**
   * The first of the names subscribed to that there is nothing of; none where more than 200 are subscribed.
   */
  readonly absent: readonly string[];
  readonly nack: NackStatus | undefined;
  /** The response that waits for its ACK or NACK; `atMs` in the server's clock. */
  readonly sent: { readonly version: string; readonly atMs: number } | undefined;
}

/** One resource of a stream that is not what the server would have it be. Versions: undefined for none. */
export interface ResourceDifference {
  /** Abbreviation of the type: CDS, EDS, … */
  readonly type: string;
  readonly name: string;
  /** What the client last accepted; 'unknown' where that is long ago, or was on an earlier stream. */
  readonly acked: string | undefined;
  /** What it was sent last. */
  readonly sent: string | undefined;
  /** What it is to have. */
  readonly now: string | undefined;
  /**
   * sent: waits for the ACK; waiting: not sent yet; refused: NACKed; held: removed, and kept until nothing
   * names it.
   */
  readonly state: 'sent' | 'waiting' | 'refused' | 'held';
}

/** A stream and where it stands. */
export interface StreamStatus extends StreamInfo {
  readonly openedAtMs: number;
  readonly types: readonly TypeStatus[];
}

/** Counters since the server began, but for `streams`, which is a level. */
export interface Stats {
  streams: number;
  streamsOpened: number;
  requests: number;
  pushes: number;
  acks: number;
  nacks: number;
  staleNonces: number;
  bytes: number;
  /** Responses built; `pushes` beyond it shared the bytes of another stream's. */
  responsesBuilt: number;
  /** Streams that a change concerned, summed over changes. */
  streamsTouched: number;
  /** Resources that `apply` was given, and of those the ones whose content was new. */
  resourcesApplied: number;
  resourcesChanged: number;
  /** NACKs of what had been refused before. */
  refusedAgain: number;
  /** Pushes that did not wait for an earlier type any longer. */
  outOfTurn: number;
  refused: number;
}

/** Zeroes. */
export function newStats(): Stats {
  return {
    streams: 0,
    streamsOpened: 0,
    requests: 0,
    pushes: 0,
    acks: 0,
    nacks: 0,
    staleNonces: 0,
    bytes: 0,
    responsesBuilt: 0,
    streamsTouched: 0,
    resourcesApplied: 0,
    resourcesChanged: 0,
    refusedAgain: 0,
    outOfTurn: 0,
    refused: 0,
  };
}

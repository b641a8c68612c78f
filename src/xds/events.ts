import type { envoy } from '../../protos/gen/envoy.d.ts';
import type { MeshError } from '../base/error.ts';
import type { TurnedAway } from './admission/admission-limits.ts';
import type { Cause } from './cause.ts';
import type { XdsVariant } from './respond/respond.ts';

/**
 * What a client says of itself in its first request, in Envoy's words. Its list of extensions is left out.
 */
export type Node = envoy.config.core.v3.Node;

/** The peer of a connection. */
export interface Peer {
  /** `address:port`. */
  readonly address: string;
  /** The client's certificate (DER), if it presented one that was accepted. */
  readonly certificate?: Uint8Array;
}

/** One stream of a discovery service, known once its first request has named the node. */
export interface StreamInfo {
  /** Counts up over the server's life. */
  readonly id: number;
  readonly node: Node;
  readonly nodeClass: string;
  readonly protocol: XdsVariant;
  /** The type URL that the stream is for; undefined for an aggregated one (ADS). */
  readonly only?: string;
  /** The stream is a `Fetch…`: it ends with its first response, and acknowledges nothing. */
  readonly once?: true;
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
  /** Causes of the changes that this ACK settles on this stream, each reported once per type. */
  readonly causes: readonly Cause[];
  /** Causes of changes that a newer change replaced before they were sent. */
  readonly superseded: readonly Cause[];
  /** Names of the resources in the response. */
  readonly names: readonly string[];
  readonly bytes: number;
}

/** A NACK: the client refused the response and goes on with the last good state. `message`: its own words. */
export interface Nack extends Ack {
  readonly message: string;
  /** False if the client has refused the same content before, and it was offered again. */
  readonly isNews: boolean;
  /** The resources that the client refused, removals included; empty if its message does not tell. */
  readonly refused: readonly string[];
}

/** A part of the state whose confirmation somebody waits for. */
export interface Concern {
  /** As `Applied.revision`. */
  readonly revision: number;
  /** Type URLs; absent: all. */
  readonly types?: readonly string[];
  /** Names by type URL: only these resources count. Absent: all of the types. */
  readonly resources?: ReadonlyMap<string, ReadonlySet<string>>;
  /** Refused resources, and removals held back, do not count unless `resources` names them. */
  readonly lenient?: boolean;
  /** The stream must have subscribed to all of `types`: one that has just begun has confirmed nothing. */
  readonly subscribed?: boolean;
}

/** A stream that was ended because of its client's input. */
export interface RefusedStream {
  readonly peer: Peer;
  /** The node's id, if known. */
  readonly node: string | undefined;
  readonly error: MeshError;
}

/** Callbacks for the caller. An exception thrown by a hook is logged and not propagated. */
export interface Hooks {
  /**
   * A stream's first request has come. The hook may still create its class: the answer follows. Not called
   * for a `Fetch…`, whose node is no client that could be waited for; nor is `onStreamClose`.
   */
  onStreamOpen?(stream: StreamInfo): void;
  onStreamClose?(stream: StreamInfo): void;
  /** A stream was ended because of what its client sent, or did not send in time. */
  onStreamRefused?(refused: RefusedStream): void;
  /** A connection, or a stream before its first message, was refused or ended by a limit. */
  onTurnedAway?(one: TurnedAway): void;
  onAck?(ack: Ack): void;
  onNack?(nack: Nack): void;
  /**
   * A stream has confirmed more than before, by an ACK or because nothing had to be sent. `has`, valid during
   * the call, tells whether it has confirmed a whole `Concern`.
   */
  onConfirmed?(stream: StreamInfo, has: (concern: Concern) => boolean): void;
  /**
   * A stream of a class without resources: create it with `apply`, now or later. The stream waits until then.
   */
  onUnknownClass?(stream: StreamInfo): void;
  /** The last stream of a class has ended: `dropClass` frees its memory. */
  onUnusedClass?(nodeClass: string): void;
  /**
   * The first request of a stream for a type; again for each of its types when it is moved to another class.
   * `names`, valid during the call, tells whether it names a resource: one that is applied now is in the
   * first answer, or part of the move.
   */
  onSubscribed?(subscription: FirstSubscription): void;
}

/** A stream's first subscription to a type, of its life or in a class. */
export interface FirstSubscription {
  readonly stream: StreamInfo;
  readonly typeUrl: string;
  names(name: string): boolean;
}

/** The resources of one type that a client refuses. */
export interface NackStatus {
  readonly version: string;
  /** The client's message. */
  readonly message: string;
  /** The resources known to be refused, or the first of them; empty while that is being found out. */
  readonly names: readonly string[];
  /** Those of `names` of which the client has no earlier version: it goes without them. */
  readonly lacking: readonly string[];
  /** When the first refused resource is offered again, in the server's clock. */
  readonly againAtMs: number | undefined;
}

/** The state of one type on a stream. */
export interface TypeStatus {
  readonly typeUrl: string;
  readonly type: string;
  /** STALE: newer state is in flight or waits for its turn. */
  readonly state: 'SYNCED' | 'STALE' | 'NACKED' | 'NOT SENT';
  /** The last version that was ACKed. */
  readonly version: string | undefined;
  /** When the last ACK or NACK came, in the server's clock. */
  readonly sinceMs: number | undefined;
  /** Number of names subscribed; undefined for all. */
  readonly names: number | undefined;
  /** The first of the subscribed names that do not exist; empty if more than 200 are subscribed. */
  readonly absent: readonly string[];
  readonly nack: NackStatus | undefined;
  /** The response in flight; `atMs` in the server's clock. */
  readonly sent: { readonly version: string; readonly atMs: number } | undefined;
}

/** A resource of which the client's version differs from the server's. Versions: undefined for none. */
export interface ResourceDifference {
  /** Abbreviation of the type: CDS, EDS, … */
  readonly type: string;
  readonly name: string;
  /** What the client last accepted; 'unknown' if that was long ago, or on an earlier stream. */
  readonly acked: string | undefined;
  /** What it was sent last. */
  readonly sent: string | undefined;
  /** The current version. */
  readonly now: string | undefined;
  /**
   * sent: awaits the ACK; waiting: not sent yet; refused: NACKed; held: removed, and kept until no resource
   * names it.
   */
  readonly state: 'sent' | 'waiting' | 'refused' | 'held';
}

/** A stream and the state of each of its types. */
export interface StreamStatus extends StreamInfo {
  readonly openedAtMs: number;
  readonly types: readonly TypeStatus[];
}

/** Counters since the server began; `streams` is a level. */
export interface Stats {
  streams: number;
  streamsOpened: number;
  requests: number;
  pushes: number;
  acks: number;
  nacks: number;
  staleNonces: number;
  bytes: number;
  /** Responses built; other pushes shared the bytes of another stream's. */
  responsesBuilt: number;
  /** Streams affected by changes, summed over changes. */
  streamsTouched: number;
  /** Resources given to `apply`, and those of them whose content was new. */
  resourcesApplied: number;
  resourcesChanged: number;
  /** NACKs of content that had been refused before. */
  refusedAgain: number;
  /** Pushes that no longer waited for an overdue type. */
  outOfTurn: number;
  refused: number;
  /** Streams that were moved to another class. */
  streamsMoved: number;
}

/** All counters at zero. */
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
    streamsMoved: 0,
  };
}

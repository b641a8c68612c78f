import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { peerOfAddress, type SlotHolder } from '../../base/fair-slots.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { AdmissionLimits } from './admission-limits.ts';

/** Counts bytes received on a connection that belong to messages. */
export interface Useful {
  useful: number;
}

type End = (holder: HeldConnection) => void;

/**
 * A connection, from its socket on. There are thousands, so fields that it may do without are not allocated.
 */
export class HeldConnection implements SlotHolder, Useful {
  readonly socket: Socket;
  /** `address:port`. */
  readonly from: string;
  readonly peer: string;
  session: ServerHttp2Session | undefined = undefined;
  readonly streams = new Set<StreamHolder>();
  /** When its last stream ended or, before its first stream, when its handshakes began. */
  since: number;
  isGreeted = false;
  isEnded = false;
  useful = 0;
  /** The values of the counters when `look` last ran. */
  seenUseful = 0;
  seenAll = 0;
  readonly openings: TokenBucket;
  readonly overhead: TokenBucket;
  /** Undefined until the first short piece arrives. */
  pieces: TokenBucket | undefined = undefined;
  readonly #end: End;

  constructor(socket: Socket, now: number, limits: AdmissionLimits, end: End) {
    const { remoteAddress = '', remotePort = 0 } = socket;
    this.socket = socket;
    this.from = `${remoteAddress}:${remotePort}`;
    this.peer = peerOfAddress(remoteAddress);
    this.since = now;
    this.openings = new TokenBucket(limits.openingBurst, limits.openingsPerSecond, now);
    // A burst of ten seconds' worth.
    this.overhead = new TokenBucket(10 * limits.overheadPerSecond, limits.overheadPerSecond, now);
    this.#end = end;
  }

  isSettled(): boolean {
    for (const stream of this.streams) if (stream.isKnown) return true;
    return false;
  }

  end(): void {
    this.#end(this);
  }
}

/** A stream on it. */
export class StreamHolder implements SlotHolder {
  readonly peer: string;
  readonly connection: HeldConnection;
  readonly stream: ServerHttp2Stream;
  isKnown = false;
  readonly #end: (holder: StreamHolder) => void;

  constructor(connection: HeldConnection, stream: ServerHttp2Stream, end: (holder: StreamHolder) => void) {
    this.peer = connection.peer;
    this.connection = connection;
    this.stream = stream;
    this.#end = end;
  }

  isSettled(): boolean {
    return this.isKnown;
  }

  end(): void {
    this.#end(this);
  }
}

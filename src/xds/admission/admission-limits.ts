import type { MeshError } from '../../base/error.ts';
import { openFilesMax } from '../../base/files/open-files.ts';

/** Limits on connections and streams. */
export interface AdmissionLimits {
  /** All connections, including those that wait for admission. */
  readonly connectionsMax: number;
  /** Connections admitted at once, and each second beyond that; the others wait, round-robin by address. */
  readonly connectionBurst: number;
  readonly connectionsPerSecond: number;
  /** From the admission of a connection to the end of its handshakes: TLS, if used, and HTTP/2's. */
  readonly helloMsMax: number;
  /**
   * Connections that may stay without a stream for `unusedMsMax`, and the limit for any beyond that number.
   */
  readonly streamlessMax: number;
  readonly streamlessMsMax: number;
  readonly unusedMsMax: number;
  /** Streams on one connection at once, and on all. */
  readonly connectionStreamsMax: number;
  readonly streamsMax: number;
  /** Streams that one connection may open at once, and each second beyond that. */
  readonly openingBurst: number;
  readonly openingsPerSecond: number;
  /** Bytes a second that a connection may send besides messages: pings, settings, headers, framing. */
  readonly overheadPerSecond: number;
  /** Short, non-final pieces of messages that a connection may send at once, and each second beyond that. */
  readonly pieceBurst: number;
  readonly piecesPerSecond: number;
}

/** docs/xds.md lists them. */
export const admissionLimits: AdmissionLimits = {
  // Leaves file descriptors for the registry, SQLite and the admin address.
  connectionsMax: Math.max(64, Math.min(20_000, openFilesMax() - 512)),
  connectionBurst: 2_000,
  connectionsPerSecond: 1_000,
  helloMsMax: 10_000,
  streamlessMax: 256,
  streamlessMsMax: 10_000,
  unusedMsMax: 300_000,
  connectionStreamsMax: 100,
  streamsMax: 50_000,
  openingBurst: 200,
  openingsPerSecond: 20,
  overheadPerSecond: 2 ** 20,
  // Node's HTTP/2 takes 9 µs for each, and one read may bring 6,500. A client that writes a message's header
  // separately sends one for each message.
  pieceBurst: 512,
  piecesPerSecond: 500,
};

/** The limit that caused a refusal. */
export type AdmissionLimit =
  | 'connections'
  | 'hello'
  | 'streamless'
  | 'streams'
  | 'openings'
  | 'overhead'
  | 'pieces'
  // No limit: the handshake of TLS failed.
  | 'tls';

/** A peer that was refused. */
export interface TurnedAway {
  /** `address:port`. */
  readonly peer: string;
  readonly limit: AdmissionLimit;
  readonly error: MeshError;
}

/** Current levels. */
export interface AdmissionLevels {
  readonly connections: number;
  readonly connectionsMax: number;
  /** Connections that wait for admission. */
  readonly waiting: number;
  readonly streamless: number;
  readonly streams: number;
  readonly streamsMax: number;
  /** Since the start, by limit. */
  readonly turnedAway: Readonly<Record<AdmissionLimit, number>>;
}

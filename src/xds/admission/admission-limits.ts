import type { MeshError } from '../../base/error.ts';
import { filesMax } from '../../base/files.ts';

/** Who is let in. */
export interface AdmissionLimits {
  /** Connections in all, those included that wait to be let in. */
  readonly connectionsMax: number;
  /** Connections let in at once, and each second beyond that; the others wait, each address in its turn. */
  readonly connectionBurst: number;
  readonly connectionsPerSecond: number;
  /** From a connection's being let in to the end of its handshakes: TLS, where there is, and HTTP/2's. */
  readonly helloMsMax: number;
  /** Connections that may stay without a stream for `unusedMsMax`, and for how long the others may. */
  readonly streamlessMax: number;
  readonly streamlessMsMax: number;
  readonly unusedMsMax: number;
  /** Streams on one connection at once, and on all. */
  readonly connectionStreamsMax: number;
  readonly streamsMax: number;
  /** Streams that one connection opens at once, and each second beyond that. */
  readonly openingBurst: number;
  readonly openingsPerSecond: number;
  /**
   * Bytes a second that a connection sends besides messages: pings, settings, headers, what frames are
   * wrapped in.
   */
  readonly overheadPerSecond: number;
  /**
   * Pieces of messages, short and not their last ones, that a connection sends at once, and each second
   * beyond that.
   */
  readonly pieceBurst: number;
  readonly piecesPerSecond: number;
}

/** docs/xds.md has them as a table. */
export const admissionLimits: AdmissionLimits = {
  // The other files of the process are the registry's, SQLite's and those of the admin address.
  connectionsMax: Math.max(64, Math.min(20_000, filesMax() - 512)),
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
  // HTTP/2 within Node takes 9 µs for each, and 6,500 may come in one read. A client that writes the head of
  // a message apart sends one for each.
  pieceBurst: 512,
  piecesPerSecond: 500,
};

/** Which limit turned somebody away. */
export type AdmissionLimit =
  | 'connections'
  | 'hello'
  | 'streamless'
  | 'streams'
  | 'openings'
  | 'overhead'
  | 'pieces';

/** Somebody who was turned away. */
export interface TurnedAway {
  /** `address:port`. */
  readonly peer: string;
  readonly limit: AdmissionLimit;
  readonly error: MeshError;
}

/** How full it is. */
export interface AdmissionLevels {
  readonly connections: number;
  readonly connectionsMax: number;
  /** Connections that wait to be let in. */
  readonly waiting: number;
  readonly streamless: number;
  readonly streams: number;
  readonly streamsMax: number;
  /** Since the start, by limit. */
  readonly turnedAway: Readonly<Record<AdmissionLimit, number>>;
}
